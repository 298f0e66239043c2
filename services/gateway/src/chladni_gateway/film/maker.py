"""How a film is made: the song is analysed, keys are made, frames composed of them, segments encoded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from chladni_contract.descriptor_space import DESCRIPTOR_SPACE, TEMPORAL_SEGMENTS
from chladni_contract.errors import FaultError, Reason
from chladni_gateway.domain.audio import Embedding
from chladni_gateway.domain.films.options import FilmPart
from chladni_gateway.domain.films.record import FilmRecord
from chladni_gateway.domain.films.song import Song, SongAnalyzer
from chladni_gateway.domain.generation import (
    Conditioning,
    GenerationRequest,
    GenerationSettings,
    Origin,
    Priority,
)
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.film import encoding
from chladni_gateway.film.analysis_file import read_analysis, write_analysis
from chladni_gateway.film.compositing import Pixels, between, decode_key, seen_by
from chladni_gateway.film.flashes import FlashLimiter
from chladni_gateway.film.index import Progress, Report
from chladni_gateway.film.keys import RECIPE, KeyRequest, KeySource, ServersOf
from chladni_gateway.film.planning import (
    COVER_PIXELS,
    COVER_UPSCALE,
    PartPlan,
    choose_loop,
    plan_loop,
    plan_visualizer,
)
from chladni_gateway.film.store import FilmFolder
from chladni_gateway.models.catalog import ModelCatalog
from chladni_gateway.models.requirements import ModelSelector
from chladni_gateway.recipes.embedded import MODELS
from chladni_runtime.execution.cancellation import CancellationToken, run_in_thread
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.execution.process_pool import ProcessLimits, ProcessPool

ANALYSIS_SECONDS: Final = 1800.0
_PIECE_BYTES: Final = 2**20
_MODEL_SECONDS: Final = 30.0
_ANALYSIS_SHARE: Final = 0.03
AUDIO_LIMITS: Final = ProcessLimits(cpu_seconds=120.0, wall_seconds=300.0, memory_bytes=512 * 1024 * 1024)
"""What FFmpeg's libraries may take to read a song, in a process of their own: it is a file from anyone."""


class FilmMaker:
    """Makes films.

    Args:
        analyzer: Analyses songs.
        servers_of: Returns the servers of image generation that have a model.
        catalog: The models that there are.
        processes: Where songs are read.
    """

    def __init__(
        self, *, analyzer: SongAnalyzer, servers_of: ServersOf, catalog: ModelCatalog, processes: ProcessPool
    ) -> None:
        self._analyzer = analyzer
        self._servers_of = servers_of
        self._catalog = catalog
        self._processes = processes

    async def make(self, folder: FilmFolder, record: FilmRecord, report: Report) -> FilmRecord:
        """Make what is missing of a film, and return its record with all of its files.

        Args:
            folder: The folder of the film.
            record: The film.
            report: Called when something is done.

        Raises:
            ChladniError: A service refused or failed, or the song cannot be used.
        """
        progress = Progress()
        with at_stage(Stage.AUDIO_FEATURES):
            song = await self._song(folder, partial(_note_share, report, record, progress))
        record = replace(record, song_seconds=song.duration_seconds)
        report(record, _moved(progress, _ANALYSIS_SHARE))
        with at_stage(Stage.IMAGE_GENERATION):
            model = await self._model_name(record)
            source = KeySource(
                self._servers_of,
                model=model,
                options=record.options,
                caller=record.caller,
                audio_sha256=song.sha256,
            )
            plans = _plans(song, record)
            steps = _Steps(progress, plans, has_cover=FilmPart.COVER in record.options.parts)
            for part in (FilmPart.COVER, FilmPart.LOOP, FilmPart.VISUALIZER):
                if part not in record.options.parts:
                    continue
                progress.part = part
                is_made = folder.file(part).exists()
                if not is_made:
                    if part is FilmPart.COVER:
                        await self._make_cover(folder, record, song, source, model)
                    else:
                        await self._make_part(folder, record, plans[part], source, steps, report)
                steps.end_part(part, was_made=is_made)
                described = await run_in_thread(folder.describe, part)
                record = replace(record, files=(*(f for f in record.files if f.part != part), described))
                folder.write_record(record)
                report(record, progress)
        return record

    async def _song(self, folder: FilmFolder, note: Callable[[float], None]) -> Song:
        song = await run_in_thread(read_analysis, folder.analysis)
        if song is not None:
            return song
        deadline = Deadline.after(ANALYSIS_SECONDS)
        async with aclosing(self._analyzer.analyze_song(_pieces(folder.song), deadline)) as events:
            async for event in events:
                if isinstance(event, Song):
                    song = event
                else:
                    note(_ANALYSIS_SHARE * event.share)
        if song is None:
            raise FaultError(Reason.INTERNAL, "The analysis of the song ended without a result.")
        await run_in_thread(write_analysis, folder.analysis, song)
        return song

    async def _model_name(self, record: FilmRecord) -> str:
        snapshot = await self._catalog.cached(Deadline.after(_MODEL_SECONDS))
        return MODELS.select(snapshot, ModelSelector(record.options.model, ())).image.name

    async def _make_cover(
        self, folder: FilmFolder, record: FilmRecord, song: Song, source: KeySource, model: str
    ) -> None:
        content = await source.image(
            GenerationRequest(
                model=model,
                conditioning=Conditioning(audio_embedding=cover_embedding(song, record.options.loop_seconds)),
                settings=GenerationSettings(
                    seed=record.options.seed,
                    width_pixels=COVER_PIXELS,
                    height_pixels=COVER_PIXELS,
                    upscale=COVER_UPSCALE,
                    look=record.options.look,
                    priority=Priority.BATCH,
                ),
                origin=Origin(recipe=RECIPE, audio_sha256=song.sha256, part=FilmPart.COVER.value),
                caller=record.caller,
            )
        )
        target = folder.file(FilmPart.COVER)
        unfinished = target.with_name(f"{target.name}.partial")
        await run_in_thread(unfinished.write_bytes, content)
        unfinished.replace(target)

    async def _make_part(
        self,
        folder: FilmFolder,
        record: FilmRecord,
        plan: PartPlan,
        source: KeySource,
        steps: _Steps,
        report: Report,
    ) -> None:
        def note() -> None:
            report(record, steps.frame())

        audio_path = folder.audio_file(plan.part)
        if not audio_path.exists():
            await self._extract_audio(folder.song, audio_path, plan)
        segments = [folder.segment(plan.part, number) for number in range(plan.segment_count)]
        made = next((number for number, path in enumerate(segments) if not path.exists()), len(segments))
        if made:
            report(record, steps.skip(made * plan.segment_frames))
        limiter = FlashLimiter(plan.frames_per_second)
        if made:
            await run_in_thread(limiter.load, folder.limiter_state(plan.part, made - 1))
        frames = self._frames(plan, source, first_segment=made)
        async with aclosing(frames) as coming:
            for number in range(made, len(segments)):
                writer = encoding.SegmentWriter(
                    segments[number],
                    width_pixels=plan.width_pixels,
                    height_pixels=plan.height_pixels,
                    frames_per_second=plan.frames_per_second,
                )
                try:
                    for _ in plan.frames_of(number):
                        pixels = await anext(coming)
                        await run_in_thread(_write, writer, limiter, pixels)
                        note()
                    await run_in_thread(limiter.save, folder.limiter_state(plan.part, number))
                    await run_in_thread(writer.close)
                except BaseException:
                    writer.discard()
                    raise
        join = partial(encoding.join, frames_per_second=plan.frames_per_second, metadata=_metadata(record))
        await run_in_thread(join, segments, audio_path, folder.file(plan.part))
        await run_in_thread(folder.remove_segments, plan.part)

    async def _frames(
        self, plan: PartPlan, source: KeySource, *, first_segment: int
    ) -> AsyncGenerator[Pixels, None]:
        """Yield the frames of a part from a segment on."""
        start = first_segment * plan.segment_frames
        first_key = start // plan.key_every
        wanted = range(first_key, plan.key_count + (1 if plan.is_loop else 0))
        requests = (
            KeyRequest(plan.timeline.at(plan.key_time_seconds(key)), plan.render_size) for key in wanted
        )
        async with aclosing(source.keys(requests)) as keys:
            before = await run_in_thread(decode_key, await anext(keys))
            for key in wanted[:-1]:
                after = await run_in_thread(decode_key, await anext(keys))
                for index in range(plan.key_every):
                    number = key * plan.key_every + index
                    if number >= plan.frame_count:
                        return
                    yield await run_in_thread(_composed, plan, number, index, before, after)
                before = after

    async def _extract_audio(self, song: Path, target: Path, plan: PartPlan) -> None:
        token = CancellationToken()
        run = partial(self._processes.run, token=token)
        if plan.is_loop:
            places = (plan.audio_start_seconds, plan.duration_seconds)
            await run_in_thread(run, encoding.extract_loop_audio, song, target, *places, token=token)
        else:
            await run_in_thread(run, encoding.extract_audio, song, target, plan.duration_seconds, token=token)


class _Steps:
    """The work of a film in steps of a frame.

    Args:
        progress: Is moved on.
        plans: The plans of the moving parts.
        has_cover: Whether there is a cover, which takes as long as some frames.
    """

    _COVER_FRAMES: Final = 20

    def __init__(self, progress: Progress, plans: dict[FilmPart, PartPlan], *, has_cover: bool) -> None:
        self._progress = progress
        self._costs = {part: _cost_of(plan) for part, plan in plans.items()}
        self._counts = {part: plan.frame_count for part, plan in plans.items()}
        self._cover = float(self._COVER_FRAMES * COVER_PIXELS**2) if has_cover else 0.0
        self._total = self._cover + sum(cost * self._counts[part] for part, cost in self._costs.items())
        self._ended = 0.0
        self._frames = 0

    def frame(self) -> Progress:
        """Note that a frame of the part in progress is done."""
        self._frames += 1
        part = self._progress.part
        done = self._ended + (self._costs[part] * self._frames if part in self._costs else 0.0)
        return self._at(done)

    def skip(self, count: int) -> Progress:
        """Note that frames of the part in progress were done before."""
        self._frames += count - 1
        self.frame()
        self._progress.begin_here()
        return self._progress

    def end_part(self, part: FilmPart, *, was_made: bool) -> None:
        """Note that a part is done, or was done before."""
        self._frames = 0
        self._ended += self._cover if part is FilmPart.COVER else self._costs[part] * self._counts[part]
        self._at(self._ended)
        if was_made:
            self._progress.begin_here()

    def _at(self, done: float) -> Progress:
        share = _ANALYSIS_SHARE + (1.0 - _ANALYSIS_SHARE) * done / max(self._total, 1.0)
        return _moved(self._progress, share)


def cover_embedding(song: Song, loop_seconds: float) -> Embedding:
    """Return what the cover is made from: the song's liveliest part as a whole, and its course."""
    start, length = choose_loop(song, loop_seconds)
    places = (np.arange(len(song.course)) + 0.5) * song.segment_seconds
    wanted = start + (np.arange(TEMPORAL_SEGMENTS) + 0.5) * length / TEMPORAL_SEGMENTS
    course = np.stack([np.interp(wanted, places, column) for column in song.course.T], axis=1)
    moments = (np.arange(len(song.descriptors)) + 0.5) * song.interval_seconds
    whole = [np.interp(start + length / 2, moments, column) for column in song.descriptors.T]
    values = np.clip(np.concatenate([whole, course.reshape(-1)]), 0.0, 1.0).astype("<f4")
    return Embedding(DESCRIPTOR_SPACE, values.shape, values.tobytes())


def _plans(song: Song, record: FilmRecord) -> dict[FilmPart, PartPlan]:
    planners = {FilmPart.LOOP: plan_loop, FilmPart.VISUALIZER: plan_visualizer}
    return {
        part: planner(song, record.options)
        for part, planner in planners.items()
        if part in record.options.parts
    }


def _composed(
    plan: PartPlan,
    number: int,
    index: int,
    before: Pixels,
    after: Pixels,
) -> Pixels:
    pixels = between(before, after, index / plan.key_every, scroll_pixels=plan.scroll_pixels)
    camera = plan.motion.at(number / plan.frames_per_second)
    return seen_by(camera, pixels, plan.width_pixels, plan.height_pixels)


def _cost_of(plan: PartPlan) -> float:
    """Return about how much a frame of a part takes: its share of a key's pixels."""
    width, height = plan.render_size
    return width * height / plan.key_every + 0.1 * plan.width_pixels * plan.height_pixels


def _metadata(record: FilmRecord) -> dict[str, str]:
    """Return what is written into the files: the name, and how to make the film again."""
    options = record.options
    settings = f"seed {options.seed}, look {options.look or 'default'}, song {record.song_sha256}"
    return {"title": record.display_name, "comment": f"Chladni: {settings}"}


def _note_share(report: Report, record: FilmRecord, progress: Progress, share: float) -> None:
    report(record, _moved(progress, share))


def _write(writer: encoding.SegmentWriter, limiter: FlashLimiter, pixels: Pixels) -> None:
    writer.write(limiter.soften(pixels))


def _moved(progress: Progress, share: float) -> Progress:
    progress.move_to(share)
    return progress


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await run_in_thread(file.read, _PIECE_BYTES):
            yield piece
