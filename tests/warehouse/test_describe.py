import json
from pathlib import Path

import pytest
import yaml

from warehouse.contracts import RECOMMENDATIONS, SONGS, TABLES, VIEWS
from warehouse.site.describe import (
    CANNED,
    DATABASE,
    GENERATED,
    LAYOUT,
    Twin,
    data_dictionary,
    datapackage,
    datasette_metadata,
)

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", GENERATED)
def test_committed_file_is_what_the_contracts_say(path):
    committed = (ROOT / path).read_text(encoding="utf-8")
    assert committed == GENERATED[path](), f"{path} is stale: run `uv run segue docs` and commit it"


def test_metadata_describes_every_table_view_and_column():
    tables = yaml.safe_load(datasette_metadata())["databases"][DATABASE]["tables"]
    for item in (*TABLES, *VIEWS):
        assert tables[item.name]["description"] == item.about
        assert list(tables[item.name]["columns"]) == [column.name for column in item.columns]


def test_units_stand_in_the_column_descriptions():
    tables = yaml.safe_load(datasette_metadata())["databases"][DATABASE]["tables"]
    assert tables["songs"]["columns"]["duration_ms"] == "Length of the song. [ms]"


def test_layout_names_only_tables_and_columns_that_exist():
    columns = {item.name: {c.name for c in item.columns} for item in (*TABLES, *VIEWS)}
    assert set(LAYOUT) <= set(columns)
    for name, layout in LAYOUT.items():
        facets = [facet for facet in layout.get("facets", []) if isinstance(facet, str)]
        sorts = [layout[key] for key in ("sort", "sort_desc", "label_column") if key in layout]
        assert set(facets + sorts) <= columns[name]


def test_canned_queries_have_a_title_parameters_and_sql_that_uses_them():
    queries = yaml.safe_load(datasette_metadata())["databases"][DATABASE]["queries"]
    assert list(queries) == [canned.name for canned in CANNED]
    for found in queries.values():
        assert found["title"]
        assert all(f":{name}" in found["sql"] for name in found.get("params", []))


def test_dictionary_names_every_column_once_in_its_chapter():
    chapters = data_dictionary().split("\n## ")[1:]
    for item in (*TABLES, *VIEWS):
        chapter = next(text for text in chapters if text.startswith(f"{item.name}\n"))
        for column in item.columns:
            assert chapter.count(f"| `{column.name}` |") == 1


def test_datapackage_gives_types_keys_hash_and_size():
    twins = [
        Twin(SONGS, "parquet/songs.parquet", 3, 100, "ab" * 32),
        Twin(RECOMMENDATIONS, "parquet/recommendations.parquet", 15, 200, "cd" * 32),
    ]
    package = json.loads(json.dumps(datapackage(twins)))
    songs, recommendations = package["resources"]
    assert songs["path"] == "parquet/songs.parquet"
    assert (songs["rows"], songs["bytes"], songs["hash"]) == (3, 100, "sha256:" + "ab" * 32)
    assert songs["schema"]["primaryKey"] == ["song_id"]
    year = next(field for field in songs["schema"]["fields"] if field["name"] == "year")
    assert year["type"] == "integer"
    assert year["constraints"] == {"minimum": 1860, "maximum": 2100}
    assert recommendations["schema"]["foreignKeys"][0] == {
        "fields": ["song_id"],
        "reference": {"resource": "songs", "fields": ["song_id"]},
    }


def test_datapackage_points_at_no_resource_that_it_does_not_hold():
    package = datapackage([Twin(SONGS, "parquet/songs.parquet", 3, 100, "ab" * 32)])
    assert "foreignKeys" not in package["resources"][0]["schema"]
