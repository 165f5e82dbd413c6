"""The log, by the main orchestrator's document: see `arb.documents`."""

from arb.documents import (
    get_logger,
    log_execution_failure,
    log_execution_start,
    log_execution_success,
    log_opportunity_found,
    log_risk_check,
    log_scan_cycle_complete,
    log_scan_cycle_start,
    setup_logger,
)

__all__ = [
    "get_logger",
    "log_execution_failure",
    "log_execution_start",
    "log_execution_success",
    "log_opportunity_found",
    "log_risk_check",
    "log_scan_cycle_complete",
    "log_scan_cycle_start",
    "setup_logger",
]
