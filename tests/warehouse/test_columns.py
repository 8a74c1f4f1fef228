from warehouse.files.columns import uses


def test_a_column_of_no_meaning_is_no_part_of_the_playlist():
    header = ["playlist_id", "position", "track_id", "track_name", "artist_name"]
    rows = [["list0001", str(place), "a1", f"Song {place}", "Somebody"] for place in range(3)]
    used = {use.column: use.used_as for use in uses(header, rows, "playlists")}
    assert used["playlist_id"] == "playlist"
    assert used["position"] == ""
