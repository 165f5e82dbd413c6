"""Which tests hold what was publicly reported of neighbouring software, case by case and kind by kind.

A case (`b01` …) is one report, made into an input of our own; a kind (`k01` …) is what several of
them have in common, and is held by at least three inputs that nobody reported. A test is named by
its file below `tests`, and by what stands in brackets where only one of its inputs is meant.
"""

import re
from pathlib import Path

import pytest

TWO, ROWS, TRUST = "e2e/test_two_words.py", "e2e/test_account_rows.py", "e2e/test_operator_trust.py"
OUT, STOP, TOLD = "e2e/test_way_out.py", "e2e/test_stopping.py", "e2e/test_telling.py"
READ, LEVELS = "adapters/test_recorded_payloads.py", "property/test_decode.py"
POST, CLOCK, AGAINST = (
    f"faults/test_{name}.py" for name in ("order_entry", "process", "contradictions")
)
LINES, NET, NODES = "unit/config/test_strays.py", "unit/test_net.py", "adapters/test_rpc.py"

CASES = {
    "b01 tokens in the other order": [
        f"{TWO}::test_tokens_in_another_order_than_the_exchange_names_them",
        f"{TWO}::test_payouts_go_by_the_names_of_the_tokens_and_only_to_what_was_asked",
    ],
    "b03 two groups in one event": [
        f"{TWO}::test_the_markets_of_two_groups_in_one_event",
        f"{READ}::test_each_group_of_an_event_is_exclusive_by_itself_and_none_is_complete",
    ],
    "b05 other without the flag": [
        f"{TWO}::test_an_outcome_for_others_makes_the_set_open_whatever_its_event_says",
    ],
    "b06 trades with blank amounts": [
        f"{ROWS}::test_the_plan_ends_and_the_ledger_is_the_truth[{field}]"
        for field in ("fee blank", "size a number", "no bucket", "a maker's price blank",
                      "a maker's fee blank", "a new status", "no owner")
    ],
    "b07 trades without a hash": [
        f"{ROWS}::test_the_plan_ends_and_the_ledger_is_the_truth[no hash]",
        f"{ROWS}::test_a_row_that_is_no_concern_of_the_plan_stops_nothing"
        "[failed, of a market without fees]",
    ],
    "b08 clock set back": [
        f"{CLOCK}::test_h09_a_schedule_goes_on_when_the_clock_is_set",
        f"{TRUST}::test_a_last_cycle_of_the_future_is_not_fresh",
    ],
    "b10 answer in drips": [
        f"{STOP}::test_an_answer_without_an_end_ends_the_read_and_the_cycle_says_so",
        f"{STOP}::test_a_request_in_drips_holds_nothing_up",
    ],
    "b11 books that are none": [
        f"{TRUST}::test_a_cycle_that_could_read_no_book_has_failed",
        f"{TRUST}::test_an_answer_that_is_none_never_passes_for_a_quiet_market[a page, 200]",
        f"{TRUST}::test_an_answer_that_is_none_never_passes_for_a_quiet_market[a page, 403]",
        f"{TRUST}::test_an_answer_that_is_none_never_passes_for_a_quiet_market[nothing, 405]",
    ],
    "b12 prices as numbers": [f"{TWO}::test_prices_as_numbers_lose_no_market"],
    "b13 b14 b37 events and markets with holes": [
        f"{TWO}::test_events_without_markets_and_markets_without_tokens_cost_the_others_nothing",
    ],
    "b16 listed twice": [
        f"{TWO}::test_events_that_come_on_two_pages_are_one_thing_each",
        f"{TWO}::test_what_is_listed_twice_is_one_thing",
    ],
    "b18 one token spoils the batch": [
        f"{TRUST}::test_one_token_without_a_book_does_not_spoil_its_batch",
    ],
    "b19 filter ignored": [
        f"{TWO}::test_an_event_that_was_not_asked_for_is_not_shown",
        f"{TWO}::test_a_payout_that_was_not_asked_for_is_named_and_pays_nothing",
    ],
    "b20 lines that are no settings": [
        f"{LINES}::test_a_line_that_cannot_be_read_is_refused_by_its_number",
        f"{LINES}::test_lines_that_can_be_read_are",
    ],
    "b22 proxy of the environment": [
        f"{OUT}::test_a_live_run_leaves_by_the_proxy_to_its_last_request",
        f"{OUT}::test_the_emergency_cancel_leaves_by_the_proxy",
        f"{OUT}::test_an_authority_of_ones_own_holds_for_reads_and_nodes",
    ],
    "b23 socks proxy of the environment": [
        f"{OUT}::test_a_live_run_leaves_by_the_proxy_to_its_last_request",
        f"{OUT}::test_a_way_that_cannot_be_used_is_a_wrong_setting",
    ],
    "b26 reader gone": [
        f"{TOLD}::test_a_reader_that_goes_and_an_output_that_is_full_end_nothing",
    ],
    "b27 disk full": [f"{TOLD}::test_a_full_disk_is_said_once_and_costs_nothing_else"],
    "b28 log of another user": [
        f"{TOLD}::test_a_log_that_is_not_ours_to_write_is_refused_before_the_cycle",
        f"{TOLD}::test_another_users_lock_is_named_with_its_fix",
    ],
    "b29 odd answers to a post": [
        f"{POST}::test_a09_an_odd_answer_to_a_post_is_asked_about_and_nothing_goes_twice",
        f"{POST}::test_a09_what_was_refused_and_taken_is_found_and_carried_to_its_end",
        f"{POST}::test_a05_an_answer_with_an_unheard_of_status_is_asked_about",
    ],
    "b32 whole cents": ["unit/test_dollars.py::test_the_whole_cents_of_some_shares_buy_those_shares"],
    "b34 being resolved": [
        f"{TWO}::test_what_is_being_resolved_is_not_bought",
        f"{TWO}::test_nothing_of_an_event_that_is_over_is_bought",
    ],
    "b35 levels": [
        f"{LEVELS}::test_an_odd_level_makes_a_book_smaller_and_never_larger",
        f"{LEVELS}::test_a_bad_book_is_lost_alone",
        f"{READ}::test_odd_levels_of_public_reports",
    ],
}  # fmt: skip

PLAN = f"{ROWS}::test_the_plan_ends_and_the_ledger_is_the_truth"
QUIET = f"{TRUST}::test_an_answer_that_is_none_never_passes_for_a_quiet_market"
ENDLESS = f"{POST}::test_a01_an_answer_to_a_post_that_never_ends_is_asked_about"

KINDS = {
    "k01 the proof rests on how one listing is arranged": [
        f"{TWO}::test_tokens_that_the_exchange_names_otherwise_or_not_at_all",
        f"{TWO}::test_neg_risk_here_and_not_there",
        f"{TWO}::test_a_token_that_the_exchange_names_twice_is_not_believed",
        f"{READ}::test_a_market_without_a_group_excludes_nothing",
        f"{READ}::test_an_event_that_names_another_group_than_its_markets_is_not_complete",
    ],
    "k02 a proof that reality has contradicted": [
        f"{AGAINST}::test_an_exit_that_the_contract_refuses_stops_its_kind",
        f"{AGAINST}::test_a_full_set_that_pays_less_stops_its_kind",
        f"{AGAINST}::test_more_moved_than_booked_stops_the_kind_that_moved_it",
        f"{AGAINST}::test_fees_that_were_taken_in_shares_and_not_told_stop_their_kind",
    ],
    "k03 one bad element spoils the whole": [
        f"{PLAN}[a maker's amount blank]",
        f"{PLAN}[no match time]",
        f"{PLAN}[everything twice]",
        f"{ROWS}::test_an_open_order_is_its_id_and_one_without_is_named",
        f"{TWO}::test_words_for_people_lose_no_market_whatever_they_are_sent_as",
        f"{TWO}::test_fields_of_another_type_that_no_proof_rests_on_lose_nothing",
    ],
    "k04 nothing read is not read": [
        f"{QUIET}[books of other tokens]",
        f"{QUIET}[half an answer]",
        f"{QUIET}[nothing, 204]",
        f"{QUIET}[a listing that is empty]",
        f"{QUIET}[a listing of holes]",
        f"{TRUST}::test_a_listing_of_which_no_market_can_be_read_has_failed",
    ],
    "k05 what came back is not what was asked": [
        f"{TWO}::test_what_a_filter_should_have_kept_out_is_left_out_and_said",
        f"{TWO}::test_an_event_that_is_thrown_away_is_not_counted",
        f"{TWO}::test_a_market_told_in_two_ways_is_not_traded_whatever_the_set",
        f"{POST}::test_a09_an_odd_answer_to_a_post_is_asked_about_and_nothing_goes_twice"
        "[ids of another, null, missing]",
    ],
    "k06 durations on the wall clock": [
        f"{CLOCK}::test_h09_a_schedule_goes_on_when_the_clock_is_set",  # also to other times
        f"{CLOCK}::test_h09_the_clock_does_not_say_how_old_a_reconciliation_is",
        f"{CLOCK}::test_h09_an_order_is_not_written_off_because_the_clock_was_set",
    ],
    "k07 a wait without an end": [
        ENDLESS,
        f"{NODES}::test_a_node_that_answers_in_drips_for_ever_is_passed_over",
        "adapters/test_emergency.py::test_an_answer_in_drips_does_not_keep_the_next_try_waiting",
        f"{STOP}::test_a_name_that_is_looked_up_for_ever_holds_nothing_up",
        f"{STOP}::test_a_retry_that_sleeps_holds_nothing_up",
    ],
    "k08 settings that are not understood": [
        f"{LINES}::test_a_setting_without_its_prefix_is_told",
        f"{LINES}::test_in_the_environment_only_what_is_surely_meant_is_told",
        f"{LINES}::test_what_was_meant_for_us_is_refused_in_the_environment_too",
        f"{LINES}::test_blanks_that_nobody_sees_are_no_part_of_a_value",
        f"{LINES}::test_a_halt_needs_no_sound_settings",
    ],
    "k09 two rules for what leaves the process": [
        f"{OUT}::test_the_geoblock_is_asked_by_the_way_that_orders_go",
        f"{OUT}::test_a_way_that_cannot_be_used_stops_neither_doctor_nor_halt",
        f"{OUT}::test_the_demo_needs_no_exception_from_the_proxy",
        f"{OUT}::test_the_proxy_that_an_address_gets_is_the_one_that_httpx_takes",
    ],
    "k10 what several processes share": [
        f"{TOLD}::test_a_log_that_another_process_has_rotated_is_followed",
        f"{TOLD}::test_processes_on_one_log_lose_no_line_where_one_rotates_it",
        f"{TRUST}::test_a_halt_is_carried_out_where_the_lock_cannot_be_looked_at",
        f"{TRUST}::test_looking_at_the_lock_keeps_nobody_from_starting",
    ],
    "k11 after the work its telling": [
        f"{TOLD}::test_a_code_page_spoils_no_document_and_ends_no_command",
        f"{TOLD}::test_the_ledger_never_gets_a_closed_streams_number",
        f"{TOLD}::test_a_reader_that_goes_and_an_output_that_is_full_end_nothing",  # all outputs
    ],
    "k12 orders are taken and should not be sent": [
        f"{TWO}::test_one_market_of_a_set_that_is_being_resolved_by_any_word_is_enough",
        f"{READ}::test_a_resolution_that_has_begun_is_known_by_any_word_for_it",
        f"{TWO}::test_a_market_told_in_two_ways_is_not_traded_whatever_the_set",
    ],
}

HELD = CASES | KINDS


@pytest.mark.parametrize("what", HELD)
def test_what_was_reported_is_held_by_tests(what):
    for place in HELD[what]:
        file, name, given = re.fullmatch(r"(.+)::(\w+)(?:\[(.+)\])?", place).groups()
        text = (Path(__file__).parents[1] / file).read_text()
        assert f"def {name}(" in text, place
        assert given is None or f'"{given}":' in text, place


def test_each_kind_has_inputs_that_nobody_reported():
    assert [kind.split()[0] for kind in KINDS] == [f"k{n:02}" for n in range(1, 13)]
    assert min(len(set(places)) for places in KINDS.values()) >= 3
