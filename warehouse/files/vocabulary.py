"""What the world calls Segue's columns: a header's name comes in, the columns it may mean go out.

Pure data. The names of each column stand in order, the surest first, separated by semicolons. Case,
accents, blanks, underscores and points do not matter, and neither does "track" or "song" before a
name. The names in other languages are those of Exportify.
"""

import re
import unicodedata
from functools import cache

ARTISTS = """
    artists; artist_names; artist name(s); artist; artist_name; track_artist; track_artists;
    artist(s)_name; artist(s); performer; performers; singer; singers; band; interpret; interpreter;
    creator; creators; contributing artists; artists.name; artist.name; main artist;
    primary_artist; channel artist; musician;
    master_metadata_album_artist_name; أسماء الفنانين; Künstlername(n); Künstler; Interpret(en);
    Όνομα/τα καλλιτέχνη; Nombre(s) del artista; Artista; Artistas; Nom(s) de l'artiste; Artiste;
    Nome dell'artista; アーティスト名; アーティスト; 歌手; Naam van artiest; Artiest;
    Nome(s) do artista; Artistens namn; Sanatçı Adı; Sanatçı; 艺人名称; 艺人; 藝人名稱; 藝人;
    Artist 名; исполнитель; wykonawca; album_artist; album artist; album_artists; albumartist;
    album artist name(s)
"""
TITLES = """
    track_name; title; track_title; song_title; song_name; song; track; name; recording_name;
    recording; piece; track.name; master_metadata_track_name; titel; song title; lied; liedtitel;
    اسم الأغنية; Track-Name; Songtitel; Όνομα κομματιού; Nombre de la canción; Canción; Título;
    Nom du titre; Titre; Titre du morceau; Morceau; Chanson; Nome della traccia; Titolo; Brano;
    トラック名; 曲名; タイトル; 楽曲名; Nummernaam; Nummer; Nome da faixa; Faixa; Música;
    Låtens namn; Låt; Parça Adı; Parça; Şarkı; 曲目名称; 歌曲; 歌名; 曲目名稱; название; трек;
    utwór; tytuł
"""
IDS = """
    song_id; track_uri; track_id; spotify_track_uri; spotify_track_id; spotify track id;
    spotify_uri; spotify_id; trackuri; track.uri; track.id; spotify - id; track_url;
    spotify_track_url; spotify_url; uri; id; url; track link; external_urls.spotify; sp_id; sid;
    رابط الأغنية (URI); Track-URI; URI κομματιού; URI de la canción; URI du titre;
    URI della traccia; トラックURI; Nummer URI; URI da faixa; Låtens URI; Parça URI; 曲目 URI;
    歌 Link; recording_mbid; recording_msid; musicbrainz_trackid; musicbrainz recording id;
    mbid; deezer_id; sng_id; persistent id; apple music track id; apple - id; isrc;
    video_id; videoid; link
"""

# Segue's columns and what the world calls them. Of a catalogue, lists of songs, and ratings.
SONG: dict[str, str] = {
    "song_id": IDS,
    "title": TITLES,
    "artists": ARTISTS,
    "album": """
        album; album_name; track_album_name; album_title; release; release_name;
        record; alb_title;
        master_metadata_album_album_name; اسم الألبوم; Album-Name;
        Όνομα άλμπουμ; Nombre del álbum;
        Nom de l'album; Nome dell'album; アルバム名; アルバム; Naam van album;
        Nome do álbum;
        Albumets namn; Albüm Adı; 专辑名称; 专辑; 專輯名稱; 專輯名; альбом
    """,
    "year": """
        year; release_year; released_year; album_year; year_released; yr; Jahr;
        Erscheinungsjahr;
        année; annee; anno; año; ano; jaar; år; yıl; 年; 発売年; 年份; rok; год
    """,
    "release_date": """
        release_date; album_release_date; track_album_release_date; released;
        date_released;
        release; album_date; album date; date_of_release; publish_date;
        first_release_date;
        تاريخ إصدار الألبوم; Veröffentlichungsdatum des Albums;
        Veröffentlichungsdatum;
        Veröffentlicht; Erscheinungsdatum; Ημερομηνία κυκλοφορίας άλμπουμ;
        Fecha de lanzamiento del álbum; Fecha de lanzamiento;
        Date de sortie de l'album;
        Date de sortie; Data di rilascio dell'album; Data di rilascio; アルバム発売日;
        発売日;
        リリース日; Releasedatum van het album; Releasedatum;
        Data de lançamento do álbum;
        Data de lançamento; Albumets releasedatum; Albüm Çıkış Tarihi; 专辑发行日期;
        專輯發行日期;
        專輯發行日; originaldate; date; Datum; Fecha; Data
    """,
    "month": "released_month; release_month; month",
    "day": "released_day; release_day; day",
    "duration_ms": """
        duration_ms; track_duration_ms; duration (ms); track duration (ms);
        duration; track_duration;
        length; song_length; time; total time; playtime; play_time; length_ms;
        milliseconds; ms; dur;
        length_s; duration_s; duration_sec; duration_seconds; duration (s);
        length (seconds);
        duration_min; duration_mins; duration_minutes; duration (min); runtime;
        مدة الأغنية (بالمللي ثانية); Track-Dauer (ms); Dauer; Länge; Dauer (ms);
        Διάρκεια κομματιού (ms); Duración de la canción (ms); Duración;
        Durée du titre (ms); Durée;
        Durata della traccia (ms); Durata; トラックの長さ（ミリ秒）; 長さ; 時間;
        Nummerduur (ms); Duur;
        Duração da faixa (ms); Duração; Låtlängd (ms); Längd; Parça Süresi (ms);
        Süre;
        曲目时长（毫秒）; 曲目長度（毫秒）; 曲目時長（毫秒）; 时长; 時長; длительность
    """,
    "explicit": """
        explicit; is_explicit; explicit_lyrics; explicit_content;
        parental_advisory; صريح; Explizit;
        Ακατάλληλο; Explícito; Explicite; Esplicito; 明示的な内容; Expliciet;
        Explícita;
        Açık İçerik; 含露骨内容; 含露骨內容; 家長指引
    """,
    "popularity": """
        popularity; track_popularity; song_popularity; spotify_popularity; pop;
        popularity_score;
        الشعبية; Beliebtheit; Popularität; Δημοτικότητα; Popularidad;
        Popularité; Popolarità; 人気度;
        Populariteit; Popularidade; Popularitet; Popülerlik; 热度; 熱門度
    """,
    "danceability": """
        danceability; dance; dnce; danceable; قابلية الرقص; Tanzbarkeit;
        Χορευτικότητα;
        Bailabilidad; Danseabilité; Dansabilité; Ballabilità; ダンサビリティ;
        Dansbaarheid;
        Dançabilidade; Dansbarhet; Dans Edilebilirlik; 舞蹈性
    """,
    "energy": """
        energy; nrgy; الطاقة; Energie; Ενέργεια; Energía; Énergie; Energia;
        エネルギー; Energi;
        Enerji; 能量
    """,
    "key": """
        key; musical_key; song_key; tonal_key; key_name; key_signature;
        pitch_class; camelot;
        camelot_key; initial key; initialkey; tonality; المفتاح; Tonart;
        Τονικότητα; Tonalidad;
        Tonalité; Chiave; Tonalità; キー; 調; Toonsoort; Tonalidade; Ton; 调性; 調性
    """,
    "loudness": """
        loudness; loud (db); loud; db; loudness_db; loudness (db);
        loudness.overall;
        مستوى الصوت; Lautstärke; Lautheit; Ένταση; Volumen; Volume sonore;
        Volume; ラウドネス;
        Luidheid; Ljudstyrka; Ses Seviyesi; 响度; 響度
    """,
    "mode": """
        mode; musical_mode; key_mode; scale; mode_name; audio_mode; النمط;
        Modus; Τρόπος; Modo;
        Modalità; モード; Läge; Mod; 调式; 調式
    """,
    "speechiness": """
        speechiness; speech; spch; محتوى الكلام; Sprachanteil; Ομιλητικότητα;
        Hablado; Parlabilité;
        Linguaggio parlato; スピーチ性; Spraakzaamheid; Oralidade; Talighet;
        Konuşma Oranı;
        语音度; 語音度
    """,
    "acousticness": """
        acousticness; acoustic; acous; الطابع الصوتي; Akustik; Ακουστικότητα;
        Acústica; Acoustique;
        Acustica; アコースティック性; Akoestiek; Akustiklik; 原声性; 原音性
    """,
    "instrumentalness": """
        instrumentalness; instrumental; instr; الطابع الآلي; Instrumentalität;
        Οργανοκεντρικότητα;
        Instrumentalidad; Instrumentalité; Strumentalità; インストゥルメンタル性;
        Instrumentaliteit;
        Instrumentalidade; Instrumentalhet; Enstrümantalite; 器乐度; 器樂度
    """,
    "liveness": """
        liveness; live; الحيوية; Lebendigkeit; Ζωντάνια; Vivacidad; Vivacité;
        Vivacità; ライブ感;
        Levendigheid; Vivacidade; Livlighet; Canlılık; 现场感; 現場感
    """,
    "valence": """
        valence; val; happy; happiness; positivity; audio_valence; الإيجابية;
        Valenz; Θετικότητα;
        Valencia; Valenza; 感情値; Valentie; Valência; Valens; Duygusallık; 情绪效价;
        情緒效價
    """,
    "tempo": """
        tempo; bpm; beats_per_minute; average_bpm; tempo_bpm; tempo (bpm);
        الإيقاع; Ρυθμός; テンポ;
        速度; الإيقاع
    """,
    "time_signature": """
        time_signature; time_sig; timesignature; meter; metre; beats_per_bar;
        bar; signature;
        توقيع الزمن; Taktart; Μέτρο; Compás; Mesure; Battuta; 拍子; Maatstreep;
        Maatsoort; Compasso;
        Ölçü İşareti; 拍号; 拍號
    """,
    "genres": """
        genres; genre; track_genre; track_genres; artist_genres; artist_genre;
        album_genres;
        playlist_genre; playlist_subgenre; top genre; music_genre; main_genre;
        sub_genre; subgenre;
        parent genres; genre_name; genre_list; style; styles; tags;
        micro_genres; broad_genres;
        أنواع الألبوم; أنواع الفنان; Album-Genres; Künstler-Genres;
        Είδη άλμπουμ; Είδη καλλιτέχνη;
        Géneros; Género; Géneros del álbum; Géneros del artista;
        Genres de l'album;
        Genres de l'artiste; Generi; Genere; Generi dell'album;
        Generi dell'artista; ジャンル;
        アルバムジャンル; アーティストジャンル; Genres van het album; Genres van de artiest;
        Gênero;
        Gêneros; Gêneros do álbum; Gêneros do artista; Genrer; Albumets genrer;
        Artistens genrer;
        Tür; Albüm Türleri; Sanatçı Türleri; 流派; 专辑流派; 艺人流派; 曲風; 專輯曲風; 藝人曲風;
        жанр; gatunek
    """,
}
# What only a file of playlists has, and what only one of ratings.
LIST: dict[str, str] = {
    "playlist": "playlist_id; playlist_uri; playlist_url; pid; session_id; session",
    "playlist_name": """
        playlist; playlist_name; list_name; list; playlist title;
        Wiedergabeliste;
        lista de reproducción; liste de lecture; プレイリスト
    """,
    "owner": "user_id; user; username; user_name; listener_id; listener; owner; member",
    "ended_at": """
        ended_at; endtime; end_time; ts; listened_at; played_at; uts; utc_time;
        scrobble_time;
        scrobbled_at; event end timestamp
    """,
    "played_ms": "played_ms; ms_played; msplayed; play duration milliseconds",
}
RATED: dict[str, str] = {
    "user": "user_id; user; username; user_name; listener_id; listener; member; reviewer; person",
    "rating": "rating; user_rating; rating_value; stars; score; my rating; Bewertung",
    "rated_at": """
        rated_at; rating_timestamp; rating_date; timestamp; datetime; date;
        time; added_at;
        updated_at; created_at
    """,
}
TRACK = {name: SONG[name] for name in ("song_id", "title", "artists")}
WORDS: dict[str, dict[str, str]] = {
    "tracks": SONG,
    "genres": {"artists": ARTISTS + "; name", "genres": SONG["genres"]},
    "playlists": {**TRACK, **LIST},
    "ratings": {**TRACK, **RATED},
}
# What may stand before a name without changing its meaning.
PREFIXES = ("track", "song", "item", "spotify", "audiofeatures", "audio", "metadata", "tracks")


def normal(name: str) -> str:
    """Return a header's name without what writers differ in: case, accents and all signs."""
    plain = unicodedata.normalize("NFKD", name)
    return "".join(c for c in plain.casefold() if c.isalnum() and not unicodedata.combining(c))


def meanings(name: str, kind: str) -> list[tuple[int, str]]:
    """Return what a header's name may mean in a file of a kind: rank, 0 the surest, and column.

    A number at its end, as in "Artist Name 2", and words such as "track" before it are looked
    past where the whole is not known.
    """
    known = _index(kind)
    found: dict[str, int] = {}
    for form, key in enumerate(_forms(name)):
        for rank, ours in known.get(key, ()):
            found.setdefault(ours, rank + 1000 * form)
    return sorted((rank, ours) for ours, rank in found.items())


@cache
def _index(kind: str) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for ours, names in WORDS[kind].items():
        for rank, name in enumerate(dict.fromkeys(normal(word) for word in names.split(";"))):
            found.setdefault(name, []).append((rank, ours))
    return found


@cache
def _forms(name: str) -> tuple[str, ...]:
    whole = normal(name)
    forms = [whole]
    for key in (whole, re.sub(r"\d+$", "", whole)):
        bare = [key]
        for form in bare:
            bare += [form.removeprefix(p) for p in PREFIXES if form.startswith(p) and form != p]
        forms += bare
    return tuple(dict.fromkeys(form for form in forms if form))
