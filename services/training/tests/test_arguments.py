"""Arguments in two spellings, and from the environment."""

from __future__ import annotations

import argparse

import pytest

from chladni_training.arguments import JobParser, open_share, positive_count, positive_number, seed_number


@pytest.fixture
def parser():
    parser = JobParser(prog="job")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--epochs", type=positive_count, default=20)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--n_mels", type=int, default=128)
    parser.add_argument("--stages", nargs="+", default=["all"])
    parser.add_argument("--pairs", action="append")
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--ema", action=argparse.BooleanOptionalAction, default=True)
    return parser


def parse(parser, *arguments, **environment):
    parser.environment = environment
    return parser.parse_args(arguments)


@pytest.mark.parametrize("spelling", [["--batch-size", "32"], ["--batch_size", "32"], ["--batch_size=32"]])
def test_snake_case_means_the_same(parser, spelling):
    assert parse(parser, *spelling).batch_size == 32


def test_an_option_defined_in_snake_case_has_hyphens_too(parser):
    assert parse(parser, "--n-mels", "64").n_mels == parse(parser, "--n_mels=64").n_mels == 64


def test_values_that_look_like_options_stay_as_they_are(parser):
    assert parse(parser, "a_folder", "--stages", "first_one").folder == "a_folder"


def test_the_environment_gives_what_the_command_line_leaves_open(parser):
    options = parse(parser, "--epochs", "3", EPOCHS="10", BATCH_SIZE="32", FRESH="yes", EMA="0", N_MELS="")
    assert (options.epochs, options.batch_size, options.fresh, options.ema) == (3, 32, True, False)
    assert options.n_mels == 128
    assert parser.taken_from_environment(["--epochs", "3"]) == {
        "BATCH_SIZE": "32",
        "FRESH": "yes",
        "EMA": "0",
    }


def test_lists_are_split_as_by_a_shell(parser):
    options = parse(parser, "here", STAGES="one 'two three'", PAIRS="a b")
    assert options.folder == "here"
    assert options.stages == ["one", "two three"]
    assert options.pairs == ["a", "b"]
    assert parse(parser, "--pairs", "c", PAIRS="a b").pairs == ["c"]


def test_wrong_values_are_refused_as_on_the_command_line(parser, capsys):
    for environment, complaint in (
        ({"EPOCHS": "none"}, "--epochs"),
        ({"EPOCHS": "0"}, "at least 1"),
        ({"FRESH": "perhaps"}, "FRESH is 'perhaps'"),
    ):
        with pytest.raises(SystemExit):
            parse(parser, **environment)
        assert complaint in capsys.readouterr().err


def test_numbers_out_of_range_are_refused():
    for kind, text in (
        (positive_number, "0"),
        (positive_number, "inf"),
        (open_share, "1"),
        (open_share, "0"),
        (seed_number, "-1"),
        (seed_number, "4294967296"),
    ):
        with pytest.raises(argparse.ArgumentTypeError):
            kind(text)
    assert positive_number("1e-3") == 1e-3
    assert open_share("0.05") == 0.05
    assert seed_number("4294967295") == 4294967295
