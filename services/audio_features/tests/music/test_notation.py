"""Scores in ABC notation, played by abc2midi."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from chladni_audio_features.music.beats import NO_BEATS, BeatTrack
from chladni_audio_features.music.key import KeyCandidate
from chladni_audio_features.music.melody import MelodyContour
from chladni_audio_features.music.notation import MelodyNote, melody_notes, write_abc

needs_abc2midi = pytest.mark.skipif(shutil.which("abc2midi") is None, reason="abc2midi is not installed")
BEATS = BeatTrack(tuple(0.5 * np.arange(17)), tuple(0.5 * np.arange(0, 17, 4)), 1.0, 1.0)
KEYS = [KeyCandidate(tonic, is_major, 1.0) for tonic in range(12) for is_major in (True, False)]


def played(abc, folder):
    """Return start in seconds, length and number of the notes that abc2midi plays; tied ones are one."""
    source, target = folder / "tune.abc", folder / "tune.mid"
    source.write_text(abc)
    report = subprocess.run(
        ["abc2midi", source, "-o", target, "-NGRA", "-NFER", "-NGUI"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Error" not in report.stdout
    assert "Warning" not in report.stdout
    return read_midi(target.read_bytes())


def read_midi(data):
    ticks_per_quarter = int.from_bytes(data[12:14])
    seconds_per_quarter, position, notes, sounding = 0.5, 0, [], {}
    tempo = re.search(rb"\xff\x51\x03(...)", data, re.DOTALL)
    if tempo:
        seconds_per_quarter = int.from_bytes(tempo.group(1)) / 1e6
    place = data.index(b"MTrk") + 8
    time, status = 0, 0
    while place < len(data):
        delta = 0
        while True:
            byte = data[place]
            place += 1
            delta = (delta << 7) | (byte & 0x7F)
            if byte < 0x80:
                break
        time += delta
        if data[place] == 0xFF:
            length = data[place + 2]
            if data[place + 1] == 0x2F:
                break
            place += 3 + length
            continue
        if data[place] >= 0x80:
            status = data[place]
            place += 1
        kind = status & 0xF0
        position = time / ticks_per_quarter * seconds_per_quarter
        if kind == 0x90 and data[place + 1] > 0:
            sounding[data[place]] = position
        elif kind in {0x80, 0x90}:
            start = sounding.pop(data[place])
            notes.append((start, position - start, data[place]))
        place += 1 if kind in {0xC0, 0xD0} else 2
    return sorted(notes)


@needs_abc2midi
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_semitone_is_played_in_every_key(key, tmp_path):
    notes = [MelodyNote(0.25 * index, 0.25 * (index + 1), 55 + index) for index in range(30)]
    abc = write_abc(notes, beats=BEATS, signature="4/4", tempo_bpm=120.0, key=key)
    assert [number for _, _, number in played(abc, tmp_path)] == list(range(55, 85))


@needs_abc2midi
@pytest.mark.parametrize(
    ("signature", "per_bar", "beat_seconds"),
    [
        ("2/4", 2, 0.5),
        ("3/4", 3, 0.5),
        ("4/4", 4, 0.5),
        ("5/4", 5, 0.5),
        ("6/8", 2, 0.75),
        ("7/8", 7, 0.25),
        ("none", 0, 0.5),
    ],
)
def test_notes_are_played_when_they_were_heard(signature, per_bar, beat_seconds, tmp_path):
    times = tuple(0.3 + beat_seconds * np.arange(30))
    beats = BeatTrack(times, times[1::per_bar], 1.0, 1.0) if per_bar else NO_BEATS
    heard = [
        (times[2], 2 * beat_seconds, 60),
        (times[4], 5 * beat_seconds, 64),
        (times[10], beat_seconds, 61),
    ]
    notes = [MelodyNote(start, start + length, number) for start, length, number in heard]
    tempo_bpm = {"6/8": 80.0, "none": None}.get(signature, 120.0)
    abc = write_abc(notes, beats=beats, signature=signature, tempo_bpm=tempo_bpm, key=None)
    found = played(abc, tmp_path)
    assert [number for _, _, number in found] == [60, 64, 61]
    for (start, length, _), (heard_start, heard_length, _) in zip(found, heard, strict=True):
        assert start - found[0][0] == pytest.approx(heard_start - heard[0][0], abs=0.07)
        assert length == pytest.approx(heard_length, abs=0.07)


def test_an_accidental_is_undone_within_its_bar():
    notes = [
        MelodyNote(0.5 * index, 0.5 * (index + 1), number)
        for index, number in enumerate((66, 65, 66, 65, 65))
    ]
    abc = write_abc(notes, beats=BEATS, signature="4/4", tempo_bpm=120.0, key=None)
    assert "^F4 =F4 ^F4 =F4 | F4" in abc


def test_what_crosses_a_bar_line_is_tied():
    abc = write_abc([MelodyNote(1.5, 2.5, 60)], beats=BEATS, signature="4/4", tempo_bpm=120.0, key=None)
    assert "z12 C4- | C4" in abc


def test_no_notes_make_no_score():
    assert write_abc([], beats=BEATS, signature="4/4", tempo_bpm=120.0, key=None) == ""


def test_a_contour_is_divided_where_the_semitone_changes_or_is_struck_again():
    times = np.arange(0.0, 1.2, 0.02)
    cents = np.where(times < 0.8, -880.0, -680.0)
    cents[times > 1.1] = np.nan
    contour = MelodyContour(times, cents, np.ones(len(times)), is_solo=True)
    notes = melody_notes(contour, tuning_cents=20.0, onsets_seconds=np.array([0.0, 0.4, 0.79]))
    assert [note.midi_note for note in notes] == [60, 60, 62]
    assert notes[1].start_seconds == pytest.approx(0.4)
