"""Recipes on the page: a choice with the options of each, what is missing, drafts, and other ways."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from chladni_contract.errors import FaultError, Reason
from chladni_fakes import families

OPTIONS = "#options [data-option]:visible"
DATA_URL = re.compile(r"^data:image/png;base64,")


@pytest.fixture
def everything(backends):
    """Scripted services with models for every recipe."""
    backends.audio_features.models += [families.clap(), families.clap_to_clip()]
    backends.image_generation.models += [
        families.audioldm(),
        families.stable_diffusion(),
        families.stable_diffusion_xl(),
        families.unclip(),
    ]
    return backends


async def open_settings(page):
    await page.locator("#settings-panel > summary").click()


def recipe(page, name):
    return page.get_by_role("radio", name=name)


async def option_names(page):
    return [await field.get_attribute("data-option") for field in await page.locator(OPTIONS).all()]


async def test_each_recipe_shows_its_own_options(visit, address, everything):
    async with visit(address) as page:
        await open_settings(page)
        await expect(page.get_by_role("radio")).to_have_count(6)
        expected = {
            "embedded": {"model", "upscale", "look"},
            "audioldm": {"prompt", "negative_prompt", "strength", "model", "upscale"},
            "spectrogram": {"prompt", "negative_prompt", "strength", "model", "upscale"},
            "latent-noise": {
                "prompt",
                "negative_prompt",
                "noise_mode",
                "noise_weight",
                "model",
                "upscale",
                "look",
            },
            "music-prompts": {"prompt", "negative_prompt", "refiner_start", "model", "upscale"},
            "clap-unclip": {"prompt", "negative_prompt", "model", "upscale"},
        }
        for name, options in expected.items():
            await recipe(page, name).check()
            assert set(await option_names(page)) == options, name
            assert not await page.locator("[name=prompt]").evaluate("control => control.required")
        await page.get_by_role("button", name=re.compile("^Back to the model")).click()
        await expect(recipe(page, "embedded")).to_be_checked()
        await expect(page.locator("[data-option=prompt]")).to_be_hidden()


async def test_options_reach_the_model_and_those_of_other_recipes_do_not(
    visit, address, everything, clip, draw
):
    async with visit(address) as page:
        await open_settings(page)
        await recipe(page, "latent-noise").check()
        await page.locator("[name=noise_mode]").select_option("dct")
        await page.locator("[name=noise_weight]").fill("0.5")
        await recipe(page, "spectrogram").check()
        await page.locator("[name=prompt]").fill("a reef\nat night")
        await page.locator("[name=strength]").fill("0.4")
        await page.locator("[name=upscale]").select_option("2")
        await draw(page, clip())
        request, _ = everything.image_generation.requests[-1]
        assert request.options.model == "scripted-sd"
        assert request.conditioning.prompt.splitlines() == ["a reef", "at night"]
        assert (request.conditioning.strength, request.options.upscale) == (0.4, 2)
        assert not request.origin.options
        await recipe(page, "latent-noise").check()
        await page.locator("[name=model]").fill("scripted-embedded")
        await page.locator("[name=prompt]").fill("")
        await page.locator("[name=upscale]").select_option("")
        await draw(page, clip())
        request, _ = everything.image_generation.requests[-1]
        assert request.origin.options["noise_mode"] == "dct"
        assert request.conditioning.initial_latents_weight == 0.5


async def test_a_wrong_option_is_marked(visit, address, everything, clip):
    async with visit(address, complaints="status of 400") as page:
        await open_settings(page)
        await recipe(page, "music-prompts").check()
        await page.locator("[name=prompt]").fill("p")
        await page.locator("[name=model]").fill("nobody")
        await page.set_input_files("#file", clip())
        await expect(page.locator("[name=model]")).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("[name=prompt]")).not_to_have_attribute("aria-invalid", "true")
        await page.get_by_role("button", name="Dismiss voice.wav").click()
        await page.locator("[name=model]").fill("")
        await page.locator("[name=prompt]").fill("a slow river")
        await page.locator("[name=refiner_start]").fill("2")
        await page.set_input_files("#file", clip())
        await expect(page.locator("[name=refiner_start]")).to_have_attribute("aria-invalid", "true")
        await expect(page.locator("[name=prompt]")).not_to_have_attribute("aria-invalid", "true")


async def test_what_cannot_be_used_is_shown_with_what_it_needs(visit, address, backends):
    async with visit(address) as page:
        await open_settings(page)
        await page.get_by_text("For the operator: 3 more recipes").click()
        for name in ("audioldm", "spectrogram", "clap-unclip"):
            await expect(recipe(page, name)).to_be_disabled()
        for name in ("embedded", "latent-noise", "music-prompts"):
            await expect(recipe(page, name)).to_be_enabled()
        await expect(page.locator("#notice")).to_be_hidden()
        needs = page.get_by_role("list", name="What audioldm needs").get_by_role("listitem")
        await expect(needs).to_have_text(
            [
                "a CLAP model in audio-featuresnot available",
                "an AudioLDM model in image-generationnot available",
                "a Stable Diffusion model in image-generationnot available",
            ]
        )
        reason = page.locator(".recipe", has=recipe(page, "clap-unclip")).locator(".recipe__unavailable")
        await expect(reason).to_contain_text("CHLADNI_AUDIO_FEATURES_CLAP_TO_CLIP_MAP")


async def test_another_recipe_is_chosen_where_the_usual_one_cannot_be_used(
    visit, address, backends, clip, draw
):
    backends.image_generation.models = [families.stable_diffusion()]
    async with visit(address) as page:
        await expect(page.locator("#notice")).to_be_hidden()
        await open_settings(page)
        await expect(page.locator("[name=recipe]:checked")).to_have_value("audioldm")
        await draw(page, clip())
        assert backends.image_generation.requests[-1][0].options.model == "scripted-sd"


async def test_the_draft_is_shown_before_the_image_that_starts_from_it(visit, address, everything, clip):
    generation = everything.image_generation
    generation.pause_after_step = 4
    async with visit(address) as page:
        await open_settings(page)
        await recipe(page, "audioldm").check()
        await page.get_by_label("Steps").fill("4")
        generation.may_go_on.clear()
        await page.set_input_files("#file", clip())
        await expect(page.locator("#status")).to_have_text("Step 4 of 4, mel image.")
        await expect(page.locator("#draft")).to_be_hidden()
        # The first part goes on, and the second one waits: a job that is done keeps no drafts.
        generation.may_go_on.set()
        generation.may_go_on.clear()
        await expect(page.locator("#draft-image")).to_have_attribute("src", DATA_URL)
        width = await page.locator("#draft-image").evaluate(
            "image => image.decode().then(() => image.naturalWidth)"
        )
        assert width == 512
        generation.may_go_on.set()
        await expect(page.locator(".image-card")).to_have_count(1)
        await expect(page.locator("#fallback")).to_be_hidden()
        await page.locator(".image-card__open").click()
        await page.get_by_text("How it was made").click()
        rows = page.locator("#viewer-provenance")
        await expect(rows).to_contain_text("partsd_refined")
        await expect(rows).to_contain_text("before: audioldm melscripted-audioldm, seed 4711, 4 steps")
        await expect(rows).to_contain_text("promptabstract visualization")
        await expect(page.locator("#viewer-fallback")).to_be_hidden()


async def test_another_way_is_told_while_it_is_taken_and_afterwards(visit, address, everything, clip):
    everything.image_generation.errors["scripted-audioldm"] = FaultError(
        Reason.OUT_OF_MEMORY, "The device has too little memory."
    )
    async with visit(address) as page:
        await open_settings(page)
        await recipe(page, "audioldm").check()
        await page.set_input_files("#file", clip())
        await expect(page.locator(".image-card")).to_have_count(1)
        notice = page.locator("#fallback")
        await expect(notice).to_contain_text("The recipe uses its fallback, from the spectrogram.")
        await expect(notice).to_contain_text("The device has too little memory.")
        await expect(page.locator(".image-card .image-card__facts")).to_contain_text(
            re.compile("by.another.way")
        )
        await page.locator(".image-card__open").click()
        await expect(page.locator("#viewer-fallback")).to_contain_text("The device has too little memory.")


async def test_an_image_of_any_recipe_is_made_again_as_it_was(visit, address, everything, clip, draw):
    generation = everything.image_generation
    async with visit(address) as page:
        await open_settings(page)
        for name, own in (
            ("audioldm", {"[name=strength]": "0.6", "[name=prompt]": "a reef"}),
            ("latent-noise", {"[name=noise_weight]": "0.2"}),
        ):
            await recipe(page, name).check()
            for selector, value in own.items():
                await page.locator(selector).fill(value)
            await draw(page, clip(f"{name}.wav"))
            made = [request for request, _ in generation.requests]
            generation.requests.clear()
            await page.locator(".image-card").first.get_by_role("button", name="Reproduce").click()
            await expect(page.locator(".image-card__stamp").first).to_have_text("made again: identical")
            again = [request for request, _ in generation.requests]
            generation.requests.clear()
            assert len(again) == len(made)
            for first, second in zip(made, again, strict=True):
                assert second.options.model == first.options.model
                assert second.conditioning == first.conditioning
                assert second.origin.options == first.origin.options
            await page.locator("[name=prompt]").fill("")


async def test_a_recipe_is_chosen_and_set_by_keyboard(page, everything, clip):
    await page.reload()
    await page.locator("#settings-panel > summary").focus()
    await page.keyboard.press("Enter")
    await expect(recipe(page, "embedded")).to_be_visible()
    for first in (page.get_by_label("Colours"), page.get_by_label("Shape"), recipe(page, "embedded")):
        await page.keyboard.press("Tab")
        await expect(first).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(recipe(page, "spectrogram")).to_be_checked()
    await page.keyboard.press("Tab")
    await expect(page.locator("[name=prompt]")).to_be_focused()
    await page.keyboard.type("a reef")
    await page.keyboard.press("Tab")
    await expect(page.locator("[name=negative_prompt]")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.locator("[name=strength]")).to_be_focused()


async def test_nothing_sticks_out_at_any_width(visit, address, everything):
    everything.audio_features.models.pop()
    async with visit(address) as page:
        await open_settings(page)
        await recipe(page, "music-prompts").check()
        for width in (320, 390, 820, 1440):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
