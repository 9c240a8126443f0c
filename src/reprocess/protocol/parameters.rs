//! Parse parameters that may be sent again.
//!
//! An allow-list, because what is read back may hold secrets (keys, webhook headers, proxies), server-side ids,
//! and fields that belong to one file (its input address, its output path). A parameter that is not here is not replayed.

/// Names of parse parameters that say how a document is parsed and nothing else. Sorted.
pub(crate) const REPLAYED_PARAMETERS: &[&str] = &[
    "adaptive_long_table",
    "aggressive_table_extraction",
    "annotate_links",
    "auto_mode",
    "auto_mode_configuration_json",
    "auto_mode_trigger_on_image_in_page",
    "auto_mode_trigger_on_regexp_in_page",
    "auto_mode_trigger_on_table_in_page",
    "auto_mode_trigger_on_text_in_page",
    "bbox_bottom",
    "bbox_left",
    "bbox_right",
    "bbox_top",
    "bounding_box",
    "compact_markdown_table",
    "complemental_formatting_instruction",
    "content_guideline_instruction",
    "continuous_mode",
    "disable_image_extraction",
    "disable_ocr",
    "disable_reconstruction",
    "do_not_cache",
    "do_not_unroll_columns",
    "enable_cost_optimizer",
    "extract_charts",
    "extract_layout",
    "extract_printed_page_number",
    "fast_mode",
    "formatting_instruction",
    "gpt4o_mode",
    "guess_xlsx_sheet_name",
    "hide_footers",
    "hide_headers",
    "high_res_ocr",
    "html_make_all_elements_visible",
    "html_remove_fixed_elements",
    "html_remove_navigation_elements",
    "ignore_document_elements_for_layout_detection",
    "images_to_save",
    "inline_images_in_markdown",
    "invalidate_cache",
    "is_formatting_instruction",
    "job_timeout_extra_time_per_page_in_seconds",
    "job_timeout_in_seconds",
    "keep_page_separator_when_merging_tables",
    "lang",
    "languages",
    "layout_aware",
    "line_level_bounding_box",
    "markdown_table_multiline_header_separator",
    "max_pages",
    "max_pages_enforced",
    "merge_tables_across_pages_in_markdown",
    "model",
    "outlined_table_extraction",
    "output_pdf_of_document",
    "output_tables_as_HTML",
    "page_error_tolerance",
    "page_footer_prefix",
    "page_footer_suffix",
    "page_header_prefix",
    "page_header_suffix",
    "page_prefix",
    "page_separator",
    "page_suffix",
    "parse_mode",
    "parsing_instruction",
    "precise_bounding_box",
    "premium_mode",
    "presentation_out_of_bounds_content",
    "presentation_skip_embedded_data",
    "preserve_layout_alignment_across_pages",
    "preserve_very_small_text",
    "preset",
    "priority",
    "remove_hidden_text",
    "replace_failed_page_mode",
    "replace_failed_page_with_error_message_prefix",
    "replace_failed_page_with_error_message_suffix",
    "save_images",
    "skip_diagonal_text",
    "specialized_chart_parsing_agentic",
    "specialized_chart_parsing_efficient",
    "specialized_chart_parsing_plus",
    "specialized_image_parsing",
    "spreadsheet_extract_sub_tables",
    "spreadsheet_force_formula_computation",
    "spreadsheet_include_hidden_sheets",
    "strict_mode_buggy_font",
    "strict_mode_image_extraction",
    "strict_mode_image_ocr",
    "strict_mode_reconstruction",
    "structured_output",
    "structured_output_json_schema",
    "structured_output_json_schema_name",
    "system_prompt",
    "system_prompt_append",
    "take_screenshot",
    "target_pages",
    "tier",
    "use_vendor_multimodal_model",
    "user_prompt",
    "vendor_multimodal_model_name",
    "version",
];

/// Parameters a job cannot work without when they were set, and that are never replayed: dropping them in silence would change the work.
pub(crate) const NEEDED_SECRETS: &[&str] =
    &["gpt4o_api_key", "vendor_multimodal_api_key", "azure_openai_key", "azure_openai_endpoint", "http_proxy"];

/// What the names of parameters have in them that say whose a file is, where it lies, where results go, or who may: nothing
/// of the result hangs on them.
const NOT_OF_THE_WORK: &[&str] = &["_key", "azure", "proxy", "webhook", "s3", "url", "bucket", "_id", "partition"];

/// Whether a parameter may decide the result.
pub(crate) fn is_of_the_work(name: &str) -> bool {
    !NOT_OF_THE_WORK.iter().any(|word| name.contains(word))
}

/// Whether a parameter may be sent again.
pub(crate) fn is_replayed(name: &str) -> bool {
    REPLAYED_PARAMETERS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_holds_no_secret_or_address() {
        assert!(REPLAYED_PARAMETERS.is_sorted());
        for name in REPLAYED_PARAMETERS {
            assert!(is_of_the_work(name), "{name}");
        }
        assert!(is_replayed("tier") && !is_replayed("gpt4o_api_key") && !is_replayed("made_up"));
    }
}
