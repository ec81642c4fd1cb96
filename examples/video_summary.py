"""What happens in a film, with times: its frames are read, its sound is transcribed."""

import sys
from pathlib import Path

from connect import MODEL, client, uploaded

FILM = Path(__file__).parent / "media" / "talk.mp4"


def schema(minutes: int) -> dict:
    """Scenes with times that lie within the film."""
    scene = {
        "type": "object",
        "properties": {
            "time": {"type": "string", "pattern": rf"^[0-{min(minutes, 9)}]:[0-5][0-9]$"},
            "what": {"type": "string", "maxLength": 80},
        },
        "required": ["time", "what"],
    }
    return {"type": "array", "items": scene, "minItems": 1, "maxItems": 4}


def main(path: Path) -> None:
    gemini = client()
    with uploaded(gemini, path) as film:
        seconds = float(film.video_metadata["videoDuration"].removesuffix("s"))
        answer = gemini.models.generate_content(
            model=MODEL,
            contents=[film, "Summarise this film: what is shown and said, and when."],
            config={
                "response_mime_type": "application/json",
                "response_json_schema": schema(int(seconds) // 60),
            },
        )
    for scene in answer.parsed:
        print(f"[{scene['time']}] {scene['what']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FILM)
