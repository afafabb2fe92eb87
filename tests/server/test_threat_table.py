"""Which attack and which fault is tried by which test, by the numbers that other modules here use.

Network: (1) foreign hosts, (2) foreign origins, (3) simple posts, (4) foreign sockets, (5) tokens, (6) what tokens
leave behind, (7) slow, idle, huge and broken requests, (8) redirects, (9) addresses to fetch from. Files: (10) paths
that leave their folder, (11) pages among files, (12) the same answer for what is missing and what is forbidden, (13)
line ends in headers and settings. Graph: (14) hostile workflows, (15) what no memory holds, (16) titles and prompts
that are markup. Models: (17) pickles, (18) safetensors' headers, (19) GGUF's counts, (20) settings of hubs that run
code, (21) LoRAs that fit nothing, (22) pictures that lie. Plugins: (23) that fail, leave or hang at import, (24) whose
hooks raise, (25) installed from afar. Faults: (26) `kill -9`, (27) full disks, folders that cannot be written, clocks,
(28) full GPUs, (29) cancelling, (30) clients that come back, (31) two tabs, (32) models that change, (33) a damaged
cache, (34) a long time, (35) the same seed.

Left out: an import that never ends stops the command that imports it, which Ctrl-C ends; a whole day of work has not
been tried, only that memory is flat over 10,000 runs (docs/performance.md); numbers are compared bit by bit on the CPU.
"""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TABLE = """
 1  server/test_threats.py  test_1_other_names_are_refused
 1  server/test_threats.py  test_1_names_of_this_machine_are_not
 1  server/test_threats.py  test_1_a_name_can_be_allowed
 2  server/test_threats.py  test_2_pages_of_other_sites_are_refused_everywhere
 2  server/test_threats.py  test_2_own_pages_are_let_in
 2  server/test_threats.py  test_2_a_site_can_be_allowed
 3  server/test_threats.py  test_3_a_form_of_another_site_cannot_post
 4  server/test_threats.py  test_4_sockets_are_judged_like_everything_else
 5  server/test_openai_pictures.py  test_a_link_opens_its_picture_for_everybody_and_nothing_else
 5  server/test_threats.py  test_5_a_browser_without_the_token_is_asked_for_it_and_programs_are_told
 5  server/test_threats.py  test_5_every_route_needs_the_token
 5  server/test_threats.py  test_5_a_token_in_the_query_opens_nothing_but_the_page
 5  server/test_threats.py  test_5_other_machines_are_not_let_in_without_a_token
 5  server/test_threats.py  test_5_without_a_token_other_sites_are_refused_all_the_same
 6  server/test_threats.py  test_6_the_link_leaves_a_cookie_and_no_trace_of_the_token
 6  server/test_threats.py  test_6_the_token_is_in_no_log
 7  server/test_event_streams.py  test_a_client_that_reads_nothing_holds_nothing_up
 7  server/test_hostile_requests.py  test_7_a_body_of_many_tiny_chunks_is_taken_in
 7  server/test_hostile_requests.py  test_7_lengths_that_contradict_each_other_are_refused
 7  server/test_hostile_requests.py  test_7_a_form_that_never_comes_is_given_up
 7  server/test_hostile_requests.py  test_7_forms_that_are_broken_are_the_clients_mistake
 7  server/test_openai_images.py  test_a_form_that_is_none_is_refused
 7  server/test_threats.py  test_7_idle_connections_hold_nobody_up
 7  server/test_threats.py  test_7_a_body_that_never_comes_is_given_up
 7  server/test_threats.py  test_7_large_bodies_and_headers_are_refused
 7  server/test_threats.py  test_7_a_small_body_may_be_too_large_as_well
 7  server/test_threats.py  test_7_huge_frames_close_the_socket
 8  server/test_threats.py  test_8_nothing_leads_to_another_site
 9  server/test_hostile_requests.py  test_9_addresses_are_names_of_files_and_nothing_is_fetched
10  server/test_hostile_requests.py  test_10_and_12_no_newer_address_leads_anywhere_nor_tells_what_is_there
10  server/test_hostile_requests.py  test_10_and_13_a_file_of_a_form_is_named_by_its_content
10  server/test_bundles.py  test_nothing_is_written_where_a_zip_says
10  server/test_inputs.py  test_10_no_name_leaves_the_folder
10  server/test_saved_workflows.py  test_10_and_13_no_name_leaves_the_folder
10  server/test_threats.py  test_10_no_setting_reads_outside_its_root
10  server/test_threats.py  test_10_no_output_is_written_outside_its_root
10  server/test_uploads.py  test_10_a_name_is_nothing_but_a_suffix
11  server/test_threats.py  test_11_a_page_among_the_outputs_is_no_page_of_ours
11  server/test_uploads.py  test_11_an_upload_comes_back_as_an_attachment
12  server/test_hostile_requests.py  test_10_and_12_no_newer_address_leads_anywhere_nor_tells_what_is_there
12  server/test_threats.py  test_10_and_12_no_path_of_an_address_leads_anywhere
13  server/test_hostile_requests.py  test_13_what_is_put_into_headers_cannot_end_them
13  server/test_saved_workflows.py  test_10_and_13_no_name_leaves_the_folder
14  server/test_hostile_requests.py  test_14_values_that_multiply_are_counted_before_they_are_made
14  server/test_hostile_requests.py  test_14_a_map_over_a_hundred_million_pairs_holds_nobody_up_and_can_be_cancelled
14  server/test_scale.py  test_a_body_of_ten_megabytes_is_taken_in
14  server/test_threats.py  test_14_hostile_workflows_are_told_what_is_wrong
14  server/test_threats.py  test_14_a_chain_of_thousands_runs
14  server/test_threats.py  test_14_bodies_that_are_no_json_are_refused
15  server/test_hostile_requests.py  test_15_what_no_memory_holds_is_refused_before_anything_runs
16  server/test_description.py  test_pages_load_nothing_from_elsewhere
17  nodes/test_checkpoints.py  test_pickles_are_refused_unopened
17  nodes/test_checkpoints.py  test_disguised_pickles_are_refused
17  nodes/test_checkpoints.py  test_folder_with_pickled_weights
17  nodes/test_converting.py  test_what_is_no_pickle_or_damaged_is_refused
18  nodes/test_checkpoints.py  test_damaged_header
18  nodes/test_checkpoints.py  test_whatever_a_header_says_is_read_as_safetensors_reads_it_or_refused
18  nodes/test_checkpoints.py  test_a_damaged_file_is_read_the_same_or_refused
19  nodes/test_gguf.py  test_hostile_headers_are_refused
19  nodes/test_gguf.py  test_damaged_bytes_never_do_more_than_refuse_the_file
20  nodes/test_loading.py  test_settings_that_lead_elsewhere_are_not_followed
21  nodes/test_loading.py  test_weights_that_are_no_numbers_are_named
21  nodes/test_lora.py  test_layers_that_match_nothing_are_listed
21  nodes/test_lora.py  test_a_lora_for_another_family_is_refused_when_checked
21  nodes/test_lora_files.py  test_lengths_that_fit_nothing
22  nodes/test_png.py  test_a_text_that_inflates_without_end_is_refused
22  nodes/test_png.py  test_many_texts_that_inflate_are_refused_together
22  nodes/test_thumbnails.py  test_what_is_no_picture_is_refused
22  server/test_hostile_requests.py  test_22_pictures_that_lie_are_told_without_paths
22  server/test_bundles.py  test_what_is_no_bundle_is_refused
22  server/test_uploads.py  test_22_a_bomb_is_not_made_small
23  test_plugins.py  test_plugins_are_found_and_broken_ones_reported_with_the_reason
23  test_plugins.py  test_disabled_plugins_are_not_even_imported
23  test_remote.py  test_a_pack_that_calls_sys_exit_while_it_is_imported_fails_its_own_nodes
24  test_registry.py  test_a_hook_that_raises_or_leaves_breaks_its_plugin_only
24  test_scheduler.py  test_a_plugin_whose_fingerprint_raises_is_a_problem
25  server/test_hostile_requests.py  test_25_nothing_installs_and_nothing_is_named_by_an_address
26  server/test_kill.py  test_26_kill_at_random_moments_loses_nothing
26  server/test_kill.py  test_26_who_watches_goes_on_after_a_kill_and_is_told_everything_once
26  server/test_kill.py  test_26_an_interrupted_run_goes_on_from_what_is_cached
26  server/test_moved_workflows.py  test_26_a_move_that_is_killed_is_whole_or_was_not
27  server/test_faults.py  test_27_while_nothing_can_be_written_runs_wait_at_their_start_and_at_their_end
27  server/test_faults.py  test_27_a_clock_that_goes_backwards_changes_no_order
27  server/test_faults.py  test_27_outputs_that_cannot_be_written_fail_their_run_and_no_other
27  server/test_faults.py  test_27_a_disk_that_fills_up_loses_nothing_that_was_acknowledged
27  server/test_records.py  test_27_a_full_disk_is_told_and_nothing_is_half_written
28  nodes/test_streaming.py  test_a_full_gpu_makes_room_and_then_streams
28  test_remote.py  test_it_fails_that_task_in_clear_words_and_is_replaced
28  test_remote.py  test_the_memory_limit_ends_the_worker
28  test_residency.py  test_memory_that_runs_out_while_patching
29  test_cli_cancel.py  test_cancelling_keeps_what_is_finished_and_leaves_nothing_half_written
29  test_remote.py  test_a_node_that_ignores_cancelling_is_ended_with_its_worker
29  test_residency.py  test_a_cancelled_load_stops_between_tensors
29  test_scheduler_random.py  test_cancelling_at_any_moment_loses_nothing_that_finished
30  server/test_kill.py  test_26_who_watches_goes_on_after_a_kill_and_is_told_everything_once
30  server/test_event_streams.py  test_streams_end_when_the_server_stops_and_go_on_after_it
30  server/test_event_streams.py  test_more_events_than_are_kept_in_memory_come_from_the_store
31  server/test_saved_workflows.py  test_31_of_two_tabs_that_save_at_once_one_is_told
32  nodes/test_loading.py  test_a_changed_file_is_not_loaded
32  nodes/test_loading.py  test_moved_models_are_found
33  test_cache.py  test_a_damaged_file_is_dropped_with_a_word_and_can_be_kept_again
33  test_cache.py  test_a_damaged_database_costs_time_and_never_a_wrong_result
34  test_lanes.py  test_a_closed_lane_leaves_nothing_behind
34  test_lanes.py  test_an_idle_thread_holds_no_values
35  nodes/test_embedded.py  test_the_shipped_model_draws_what_a_plain_loop_draws
35  test_verify.py  test_what_comes_out_as_then_is_the_same_and_nothing_is_written
"""


def rows() -> list[tuple[int, str, str]]:
    found = (line.split() for line in TABLE.strip().splitlines())
    return [(int(number), file, name) for number, file, name in found]


def test_every_number_is_tried_by_tests_that_are_there() -> None:
    assert {number for number, _, _ in rows()} == set(range(1, 36))
    sources = {file: (TESTS / file).read_text(encoding="utf-8") for _, file, _ in rows()}
    assert [row for row in rows() if not re.search(rf"def {row[2]}\b", sources[row[1]])] == []


def test_every_numbered_test_is_in_the_table() -> None:
    numbered = {
        (f"server/{file.name}", name)
        for file in (TESTS / "server").glob("test_*.py")
        for name in re.findall(r"^def (test_\d+_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert numbered - {(file, name) for _, file, name in rows()} == set()
