"""Every error code has one plain sentence and one next action, and says no secret."""

import pytest

from trayagent.model.errors import LOGIN_IS_GONE, SENTENCES, TRAITS, ConfigError, DownloadError

CODES = """bad_url blocked_address not_found forbidden needs_login link_expired server_busy server_error
network timeout stalled tls too_many_redirects not_media truncated changed_on_server checksum_mismatch
too_large disk_full permission_denied virus_found needs_sites_extra no_media_found cancelled internal
engine_away engine_forgot engine_failed
bucket_away bucket_refused bucket_replaces bucket_too_small needs_buckets_extra""".split()


def test_the_codes_are_the_documented_ones() -> None:
    assert sorted(SENTENCES) == sorted(CODES)


def test_the_table_of_what_codes_imply_names_known_codes_and_is_of_a_piece() -> None:
    """A source has three codes of its own; what blocks a folder lies here and is never a try used up."""
    assert set(TRAITS) - set(SENTENCES) == {"signed_out", "moved", "insecure"}
    for code, traits in TRAITS.items():
        assert not (traits.is_retryable and (traits.is_ours or traits.is_final)), code
        assert not traits.is_ours or traits.ends_file, code
        assert not traits.blocks_folder or traits.is_ours, code


@pytest.mark.parametrize("code", CODES)
def test_each_has_a_sentence_and_an_action(code: str) -> None:
    error = DownloadError(code)
    assert error.code == code
    assert error.message.endswith(".")
    assert error.message[0].isupper()
    assert error.action
    assert "\n" not in error.message + error.action


def test_what_to_do_is_right_with_and_without_an_agent_and_whatever_has_arrived() -> None:
    for _, action in SENTENCES.values():
        assert "is kept" not in action, "not every server lets us go on"
        assert "by ourselves" not in action, "it is said of what has failed for good, too"
        assert "trayagent add --" not in action, "get has no agent to add to"


def test_a_status_401_is_no_page() -> None:
    assert "page" not in DownloadError("needs_login", "HTTP 401").message


def test_the_next_step_may_be_more_precise_than_the_codes_own() -> None:
    assert DownloadError("permission_denied", action="Close it.").action == "Close it."
    assert DownloadError("permission_denied").action == SENTENCES["permission_denied"][1]


def test_a_lost_login_is_told_once_however_often_the_outcome_is_saved() -> None:
    error = DownloadError("network")
    error.tell_login_is_gone()
    error.tell_login_is_gone()
    assert error.action == f"{SENTENCES['network'][1]} {LOGIN_IS_GONE}"


def test_a_detail_makes_the_sentence_more_precise() -> None:
    error = DownloadError("forbidden", "HTTP 403", retry_after=3)
    assert error.message == "The server refused access to the file (HTTP 403)."
    assert error.retry_after == 3
    assert str(error) == "forbidden: The server refused access to the file (HTTP 403)."


def test_settings_errors_list_every_problem() -> None:
    error = ConfigError(["One.", "Two."])
    assert error.problems == ["One.", "Two."]
    assert error.message == "One.\nTwo."


def test_no_two_codes_say_the_same() -> None:
    sentences = [sentence for sentence, _ in SENTENCES.values()]
    assert len(set(sentences)) == len(sentences)
