"""A seed comes in; the demo's songs go out: invented ones with a known structure.

Twelve scenes form a ring. A scene is a cluster of sounds, years and genres, and shares one genre
with each neighbour; artists vary around the centre of their scene, and songs around their artist.
Some songs are versions of others. Nobody in it exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

SEED = 11
SONGS = 2_400
VERSIONS = 288
ARTISTS = 160
SONGS_ON_ALBUM = 9
LAST_YEAR = 2025

Vector = NDArray[np.float64]
Song = dict[str, Any]

SCHEMA = {
    **dict.fromkeys(("song_id", "title", "artists", "album", "release_date"), pl.String),
    "duration_ms": pl.Int64,
    "explicit": pl.Boolean,
    "popularity": pl.Int64,
    **dict.fromkeys(("danceability", "energy"), pl.Float64),
    "key": pl.Int64,
    "loudness": pl.Float64,
    "mode": pl.Int64,
    **dict.fromkeys(("speechiness", "acousticness", "instrumentalness"), pl.Float64),
    **dict.fromkeys(("liveness", "valence", "tempo"), pl.Float64),
    "time_signature": pl.Int64,
    "genres": pl.String,
}
TRUTH = dict.fromkeys(("scene", "version_of"), pl.String)

# A sound is a point in these dimensions: seven shares as logits, dB, log BPM, log minutes.
SHARES = (
    *("danceability", "energy", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence"),
)
DIMENSIONS = (*SHARES, "loudness", "tempo", "minutes")
ARTIST_SPREAD = np.array([0.2, 0.25, 0.15, 0.35, 0.4, 0.15, 0.25, 0.8, 0.04, 0.1])
SONG_SPREAD = np.array([0.3, 0.35, 0.3, 0.5, 0.7, 0.4, 0.4, 1.2, 0.08, 0.18])


@dataclass(frozen=True)
class Scene:
    """A cluster of the catalogue.

    Args:
        genres: its own tags; every song has the first.
        bridge: the tag that it shares with the next scene in the ring.
        sound: its centre, in natural units, in the order of ``DIMENSIONS``.
        year: mean year of release.
        explicit: share of explicit songs.
        names: templates of artists' names.
        words: nouns that its titles often use.
    """

    name: str
    genres: tuple[str, str]
    bridge: str
    sound: tuple[float, ...]
    year: int
    explicit: float
    names: tuple[str, ...]
    words: str


BAND = ("The {adjective} {things}", "{adjective} {noun}", "{noun} {thing}", "{nouns} of {place}")
PERSON = ("{first} {last}", "{first} {last}", "{first} {last} & the {adjective} {things}")
ALIAS = ("{noun} {number}", "{adjective} {noun}", "{last}", "{noun} & {thing}", "{place} Unit")
ENSEMBLE = ("{first} {last}", "{last} Trio", "{first} {last} Quartet", "{place} Ensemble")
CREW = ("{adjective} {last}", "{first} {number}", "{noun} Theory", "{place} Cypher")

SCENES = (
    Scene(
        "dream pop",
        ("dream pop", "shoegaze"),
        "lo-fi",
        (0.47, 0.58, 0.035, 0.12, 0.20, 0.14, 0.30, -8.0, 112, 4.3),
        2010,
        0.01,
        BAND,
        "Halo Velvet Glass Satellite Honey Blur Mirror Cloud Static Lilac Swoon Dusk",
    ),
    Scene(
        "indie folk",
        ("indie folk", "singer-songwriter"),
        "acoustic roots",
        (0.50, 0.30, 0.037, 0.80, 0.03, 0.11, 0.36, -12.0, 108, 3.6),
        2012,
        0.01,
        (*BAND, *PERSON),
        "Orchard Barn Sparrow Kettle River Porch Bramble Letter Lantern Harvest Wool Creek",
    ),
    Scene(
        "desert blues",
        ("desert blues", "saharan rock"),
        "west african guitar",
        (0.60, 0.66, 0.042, 0.42, 0.25, 0.16, 0.62, -9.5, 122, 5.2),
        2006,
        0.0,
        PERSON,
        "Dune Caravan Well Acacia Sandstorm Camel Horizon Tent Salt Tea Mirage Star",
    ),
    Scene(
        "highlife",
        ("highlife", "palm-wine"),
        "afro funk",
        (0.74, 0.72, 0.065, 0.35, 0.05, 0.20, 0.90, -10.0, 118, 6.2),
        1977,
        0.0,
        PERSON,
        "Harbour Palm Market Trumpet Sunday Wedding Lorry Yam Festival Lagoon Mango Parade",
    ),
    Scene(
        "disco",
        ("disco", "boogie"),
        "dance",
        (0.80, 0.76, 0.045, 0.08, 0.04, 0.10, 0.86, -11.0, 117, 4.6),
        1980,
        0.01,
        BAND,
        "Mirrorball Saturday Roller Champagne Sequin Taxi Fever Chrome Boulevard Elevator Heel",
    ),
    Scene(
        "deep house",
        ("deep house", "garage"),
        "electronic",
        (0.80, 0.64, 0.06, 0.04, 0.55, 0.09, 0.50, -9.0, 123, 6.0),
        2014,
        0.03,
        ALIAS,
        "Basement Velvet Neon Rooftop Velour Afterglow Tunnel Marble Balcony Ember Pulse Lobby",
    ),
    Scene(
        "techno",
        ("minimal techno", "dub techno"),
        "ambient techno",
        (0.70, 0.84, 0.05, 0.01, 0.88, 0.10, 0.16, -8.5, 131, 7.0),
        2008,
        0.0,
        ALIAS,
        "Grid Turbine Relay Concrete Sector Voltage Piston Lattice Beacon Circuit Tarmac Signal",
    ),
    Scene(
        "ambient",
        ("ambient", "drone"),
        "quiet listening",
        (0.22, 0.14, 0.038, 0.78, 0.91, 0.10, 0.07, -21.0, 84, 5.8),
        2013,
        0.0,
        ALIAS,
        "Tide Fog Glacier Moss Lichen Estuary Breath Snowfield Drift Vapour Pollen Shoal",
    ),
    Scene(
        "chamber",
        ("chamber music", "solo piano"),
        "third stream",
        (0.33, 0.10, 0.045, 0.97, 0.87, 0.09, 0.20, -24.0, 96, 3.1),
        2002,
        0.0,
        ENSEMBLE,
        "Nocturne Window Cello Candle Winter Staircase Corridor Ivory Autumn Letter Waltz Snow",
    ),
    Scene(
        "night jazz",
        ("modal jazz", "cool jazz"),
        "jazz rap",
        (0.55, 0.34, 0.045, 0.80, 0.45, 0.13, 0.48, -14.0, 116, 6.6),
        1963,
        0.0,
        ENSEMBLE,
        "Alley Smoke Saxophone Midnight Umbrella Avenue Whisper Cellar Hat Ballad Corner Trombone",
    ),
    Scene(
        "hip hop",
        ("boom bap", "underground hip hop"),
        "alternative",
        (0.74, 0.68, 0.28, 0.18, 0.01, 0.18, 0.58, -7.0, 92, 3.5),
        1998,
        0.4,
        CREW,
        "Crate Needle Stoop Pavement Cipher Ledger Subway Verse Hydrant Marquee Chess Cassette",
    ),
    Scene(
        "garage rock",
        ("garage rock", "post-punk"),
        "indie rock",
        (0.48, 0.91, 0.06, 0.01, 0.03, 0.22, 0.55, -4.8, 146, 2.7),
        2003,
        0.08,
        BAND,
        "Motor Leather Amplifier Static Gasoline Racket Alarm Fuse Switchblade Wire Kerosene Riot",
    ),
)

LEXICON = {
    key: words.split()
    for key, words in {
        "adjective": "Amber Borrowed Bright Broken Careful Copper Crooked Distant Electric Empty "
        "Faded Fearless Gentle Golden Half-Lit Hidden Hollow Idle Invisible Late Little Lonesome "
        "Long Loose Lucky Midnight Northern Old Pale Paper Patient Quiet Restless Scarlet Second "
        "Silver Sleepless Slow Soft Southern Stolen Sudden Tender Tangled Tidal Weightless Wild",
        "noun": "Anchor Bird Bridge Candle City Compass Door Engine Feather Field Flame Garden "
        "Ghost Harbour Heart House Island Kite Lamp Lighthouse Map Meadow Moon Mountain Ocean "
        "Orbit Pocket Promise Radio Rain Ribbon Road Room Season Shadow Shore Signal Song Stone "
        "Storm Stranger Street Summer Thread Tower Train Valley Voice Wave Window",
        "thing": "Almanac Antenna Avenue Badger Carousel Comet Cousin Ferry Fox Heron Juniper "
        "Kestrel Ladder Lodger Magnet Magpie Neighbour Otter Parade Pigeon Postcard Quarry Rocket "
        "Sailor Stairway Teacup Thistle Tiger Wallflower Weathervane",
        "first": "Adaeze Amélie Anouk Bastien Bintou Chidi Dario Emeka Ewa Femi Hana Idris Ilse "
        "Imani Jonas Kofi Leïla Lucía Maren Mateo Nadia Noor Odile Priya Rafael Salma Søren Tariq "
        "Tobias Yara Žofie Zoé",
        "last": "Adessoun Ashgrove Belgarde Benazzar Corvale Dovetal Ekundo Fennwick Halvik Ízaro "
        "Kossivi Lindqvar Marchetto Merrin Ndiomba Okantu Pellarin Quillon Rostavel Sarrano "
        "Tambrey Tazrouk Ulmgren Varrow Wyndell Yélian",
        "place": "Marlowe Odessan Portavel Kestrelby Tamsin Vallora Northwick Ostrava-Sud Bellmere "
        "Caldera Sorrel Juniperville",
        "number": "Two Three Four Five Seven Nine Eleven Twelve Forty Ninety",
        "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
        "hour": "Dawn Noon Dusk Midnight Daybreak Low_Tide Closing_Time",
        "doing": "Chasing Following Forgetting Leaving Mending Naming Painting Waking Waiting_For",
    }.items()
}
TITLES = (
    *("{adjective} {word}", "{adjective} {word}", "{adjective} {noun}", "{word} and {noun}"),
    *("{word} for {first}", "{doing} the {noun}", "{noun} at {hour}", "{day} {word}", "{word}"),
    *("What the {word} Said", "No {noun} Tonight", "{number} Days of {word}", "Ask the {noun}"),
    *("The {word} in the {noun}", "{word} over {place}", "Under the {adjective} {noun}"),
    *("{first}, Bring the {word}", "Somebody's {noun}", "Half a {noun}, Half a {word}"),
)
ALBUMS = (
    *("{adjective} {noun}", "{word} & {noun}", "{doing} the {word}", "The {place} Tapes"),
    *("{number} {nouns}", "Songs from the {noun}", "{word}", "{adjective} {words}"),
)
VENUES = ("the Old Mill", "Portavel Hall", "the Lighthouse", "Bellmere Park", "Studio Nine")

# By rank of the artist, the most recorded first; the scene is the rank modulo twelve.
ARTIST_NAMES = {
    1: "Salt, Thyme & Rye",
    3: "Ngozi Ekundo and the Harbour Lights",
    8: "Ízaro & Møllgaard",
    12: "Плакучая Ива",
    14: "Tinzar Assouf",
    20: "雨宮カルテット",
}
# By rank of the artist: position in the catalogue and title.
PLANTED: dict[int, tuple[tuple[int, str], ...]] = {
    0: ((2, "Hello"), (5, 'The "Quiet" Hour'), (11, "夜の手紙")),
    1: ((3, "Postcard, Undated"), (6, "Été sans fin"), (14, "Łąka we mgle")),
    2: ((1, "مطر خفيف"), (8, "Çöl rüzgârı")),
    3: ((4, "Sometime in June"), (7, "Coração lento")),
    4: ((3, "Hello"), (9, "Ζεστό φως")),
    7: ((0, "Untitled"), (9, "Untitled"), (18, "Untitled"), (5, "Rain on a Tin Roof")),
    8: (
        *((0, "Tide Studies: I. Low Water"), (1, "Tide Studies: II. The Turning")),
        *((2, "Tide Studies: III. High Water"), (9, "Nocturne No. 1"), (10, "Nocturne No. 2")),
        *((11, "Nocturne No. 3"), (12, "Søvnløs sommer")),
    ),
    9: ((2, "고요한 강"), (5, "Corazón de niebla")),
    10: (
        *((0, "Intro"), (9, "Intro"), (18, "Intro"), (4, "Interlude"), (13, "Interlude")),
        (16, "Ağır adımlar"),
    ),
    11: ((3, "Louder Than the Landlord"), (7, "Тихая вода")),
}
# What Spotify reports if its analysis heard nothing, and a master that is too loud.
ODD_VALUES: dict[str, Song] = {
    "Rain on a Tin Roof": dict.fromkeys(
        ("tempo", "danceability", "valence", "speechiness", "time_signature"), 0
    ),
    "Louder Than the Landlord": {"loudness": 0.8},
}
DATE_LENGTHS = {"Postcard, Undated": len("2012"), "Sometime in June": len("1977-06")}

# How a version differs from its song, in the dimensions of a sound; the others stay close.
SHIFTS: dict[str, dict[str, float]] = {
    "remaster": {"loudness": 0.8},
    "live": {"liveness": 2.8, "acousticness": 0.3, "minutes": 0.15},
    "acoustic": {"acousticness": 3.0, "energy": -1.4, "loudness": -3.5},
    "radio edit": {"minutes": -0.2},
    "remix": {"danceability": 0.6, "energy": 0.5, "tempo": 0.08, "minutes": 0.3},
    "guest": {"speechiness": 0.4},
}
VERSION_TITLES: dict[str, tuple[str, ...]] = {
    "remaster": (" - {year} Remaster", " - Remastered {year}", " (Remastered)"),
    "live": (" - Live", " (Live at {venue})", " - Live from {venue}"),
    "acoustic": (" - Acoustic", " (Acoustic Version)"),
    "radio edit": (" - Radio Edit",),
    "remix": (" - {last} Remix", " (Remix)"),
    "guest": (" (feat. {guest})",),
}
KINDS = tuple(SHIFTS)
KIND_SHARES = (0.27, 0.2, 0.17, 0.13, 0.13, 0.1)
BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Artist:
    """An invented artist: where it stands in its scene and how much it recorded."""

    rank: int
    name: str
    scene: Scene
    sound: Vector
    year: float
    songs: int


def demo_songs(seed: int = SEED) -> pl.DataFrame:
    """Return the songs of the demo catalogue together with the planted truth.

    Returns:
        One row for each song: the columns of ``tracks.csv``, then ``scene`` and ``version_of``,
        the id of the song that it is a version of or null.
    """
    rng = np.random.default_rng(seed)
    artists = _artists(rng)
    taken: set[str] = set()
    songs = [song for artist in artists for song in _recorded(rng, artist, taken)]
    songs += _versions(rng, songs, artists)
    rows = [_finished(song) for song in songs]
    return pl.DataFrame(rows, schema={**SCHEMA, **TRUTH}, orient="row")


def _artists(rng: np.random.Generator) -> list[Artist]:
    """Return the artists, the most recorded first, in a long tail."""
    weights = (np.arange(ARTISTS) + 25.0) ** -1.8
    sizes = np.floor(weights / weights.sum() * (SONGS - VERSIONS)).astype(int)
    sizes[: SONGS - VERSIONS - sizes.sum()] += 1
    taken: set[str] = set(ARTIST_NAMES.values())
    artists = []
    for rank, size in enumerate(sizes):
        scene = SCENES[rank % len(SCENES)]
        name = ARTIST_NAMES.get(rank) or _new(rng, scene.names, scene, taken)
        sound = _centre(scene) + rng.normal(size=len(DIMENSIONS)) * ARTIST_SPREAD
        artists.append(Artist(rank, name, scene, sound, scene.year + 3 * rng.normal(), int(size)))
    return artists


def _centre(scene: Scene) -> Vector:
    """Return the scene's sound in dimensions in which it varies evenly."""
    sound = np.array(scene.sound)
    shares = sound[: len(SHARES)]
    return np.concatenate([np.log(shares / (1 - shares)), sound[7:8], np.log(sound[8:])])


def _recorded(rng: np.random.Generator, artist: Artist, taken: set[str]) -> list[Song]:
    """Return an artist's own songs, album by album."""
    titles = [_new(rng, TITLES, artist.scene, taken) for _ in range(artist.songs)]
    for position, title in PLANTED.get(artist.rank, ()):
        titles[position] = title
    songs = []
    for first in range(0, len(titles), SONGS_ON_ALBUM):
        album = _new(rng, ALBUMS, artist.scene, taken)
        date = _date(rng, artist.year + 2 * rng.normal())
        of_album = titles[first : first + SONGS_ON_ALBUM]
        songs += [_song(rng, artist, title, (album, date)) for title in of_album]
    return songs


def _song(rng: np.random.Generator, artist: Artist, title: str, album: tuple[str, str]) -> Song:
    """Return a song of an album, given as name and date, its sound not yet measurements."""
    shares = dict(zip(SHARES, artist.scene.sound, strict=False))
    triple = 0.2 * shares["acousticness"]
    return {
        "song_id": new_id(rng),
        "title": title,
        "artists": artist.name,
        "album": album[0],
        "release_date": album[1],
        "explicit": bool(rng.random() < artist.scene.explicit),
        "popularity": int(np.clip(62 * np.exp(-artist.rank / 90) + 9 * rng.normal(), 0, 100)),
        "key": int(rng.integers(12)),
        "mode": int(rng.random() < 0.35 + 0.5 * shares["valence"]),
        "time_signature": int(rng.choice([4, 3, 5], p=[0.98 - triple, triple, 0.02])),
        "genres": ";".join(_genres(rng, artist.scene)),
        "scene": artist.scene.name,
        "version_of": None,
        "sound": artist.sound + rng.normal(size=len(DIMENSIONS)) * SONG_SPREAD,
    }


def new_id(rng: np.random.Generator) -> str:
    """Return 22 base62 digits that no Spotify id can be.

    A Spotify id is a 128-bit number, so with 22 digits its first is at most 7; these begin
    with a d.
    """
    return "demo" + "".join(BASE62[digit] for digit in rng.integers(62, size=18))


def _genres(rng: np.random.Generator, scene: Scene) -> list[str]:
    before = SCENES[SCENES.index(scene) - 1]
    second, bridge, forward = rng.random(3)
    tags = [scene.genres[0]]
    tags += [scene.genres[1]] if second < 0.5 else []
    if bridge < 0.35:
        tags.append(scene.bridge if forward < 0.5 else before.bridge)
    return tags


def _date(rng: np.random.Generator, year: float) -> str:
    month, day = rng.integers(1, [13, 29])
    return f"{min(max(round(year), 1955), LAST_YEAR)}-{month:02d}-{day:02d}"


def _versions(
    rng: np.random.Generator, songs: Sequence[Song], artists: Sequence[Artist]
) -> list[Song]:
    """Return versions of songs that were not planted, each of a different kind or song."""
    planted = {title for titles in PLANTED.values() for _, title in titles}
    plain = [song for song in songs if song["title"] not in planted]
    made: dict[tuple[str, str], Song] = {}
    while len(made) < VERSIONS:
        song = plain[rng.integers(len(plain))]
        kind = str(rng.choice(KINDS, p=KIND_SHARES))
        if (song["song_id"], kind) not in made:
            made[song["song_id"], kind] = _version(rng, song, kind, artists)
    return list(made.values())


def _version(rng: np.random.Generator, song: Song, kind: str, artists: Sequence[Artist]) -> Song:
    others = [a.name for a in artists if a.scene.name == song["scene"]]
    guest = one_of(rng, [name for name in others if name != song["artists"]])
    later = int(rng.integers(10, 26) if kind == "remaster" else rng.integers(0, 4))
    date = _date(rng, int(song["release_date"][:4]) + later)
    venue = one_of(rng, VENUES)
    ending = _filled(rng, VERSION_TITLES[kind], {"year": date[:4], "venue": venue, "guest": guest})
    shift = np.array([SHIFTS[kind].get(name, 0.0) for name in DIMENSIONS])
    albums = {"live": f"Live at {venue}", "remaster": f"{song['album']} (Deluxe Edition)"}
    return {
        **song,
        "song_id": new_id(rng),
        "title": song["title"] + ending,
        "artists": f"{song['artists']};{guest}" if kind == "guest" else song["artists"],
        "album": albums.get(kind, song["title"]),
        "release_date": max(date, song["release_date"]),
        "popularity": max(0, song["popularity"] - int(rng.integers(3, 20))),
        "version_of": song["song_id"],
        "sound": song["sound"] + shift + 0.05 * SONG_SPREAD * rng.normal(size=len(DIMENSIONS)),
    }


def _finished(song: Song) -> list[Any]:
    """Return the row of a song: its sound as measurements, and deliberate oddities."""
    title = song["title"]
    measured = song | _measurements(song["sound"]) | ODD_VALUES.get(title, {})
    measured["release_date"] = song["release_date"][: DATE_LENGTHS.get(title)]
    return [measured[name] for name in (*SCHEMA, *TRUTH)]


def _measurements(sound: Vector) -> Song:
    shares = 1 / (1 + np.exp(-sound[: len(SHARES)]))
    loudness, tempo, minutes = sound[7:]
    return {
        **{name: round(float(v), 3) for name, v in zip(SHARES, shares, strict=True)},
        "loudness": round(min(float(loudness), -0.5), 2),
        "tempo": round(float(np.exp(tempo)), 2),
        "duration_ms": round(float(np.exp(minutes)) * 60_000),
    }


def _new(rng: np.random.Generator, templates: Sequence[str], scene: Scene, taken: set[str]) -> str:
    """Return a text from the templates that is not taken yet, and mark it as taken."""
    while True:
        text = _filled(rng, templates, {"word": one_of(rng, scene.words.split())})
        if text not in taken:
            taken.add(text)
            return text


def _filled(rng: np.random.Generator, templates: Sequence[str], given: dict[str, str]) -> str:
    drawn = {key: one_of(rng, words) for key, words in LEXICON.items()} | given
    plurals = {f"{key}s": _plural(drawn[key]) for key in ("noun", "thing", "word") if key in drawn}
    return one_of(rng, templates).format(**drawn, **plurals).replace("_", " ")


def one_of(rng: np.random.Generator, texts: Sequence[str]) -> str:
    """Return one of the texts, like ``rng.choice``, but without making an array of them."""
    return texts[int(rng.integers(len(texts)))]


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "ch", "sh")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeo" else f"{noun}s"
