"""Three views of the ledger for people: in dollars, with dates as text."""

from sqlalchemy import Connection


def create_views(connection: Connection) -> None:
    """Make them, over tables that are there."""
    for name, body in _views(sqlite=connection.dialect.name == "sqlite").items():
        connection.exec_driver_sql(f"create view {name} as {body}")


def _views(*, sqlite: bool) -> dict[str, str]:
    def date(column: str) -> str:
        if sqlite:
            return f"strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1000000.0, 'unixepoch')"
        moment = f"to_timestamp({column} / 1000000.0) at time zone 'UTC'"
        return f"""to_char({moment}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""

    def dollars(amount: str) -> str:
        return f"round({amount} / 1000000.0, 6)"

    def times(deed: str) -> str:
        return f"sum(case when e.deed = '{deed}' then 1 else 0 end) over so_far"

    def agreed(what: str) -> str:
        return f"sum(case when e.deed = 'agreed' then {what} else 0 end) over so_far"

    def ended(state: str) -> str:
        return agreed(f"case when p.state = '{state}' then 1 else 0 end")

    return {
        "opportunities": f"""
            select id, account, run, {date("at")} as detected_at, kind, event, title, decision,
                reason, detail, exit, {dollars("size")} as size, {dollars("cost")} as cost,
                {dollars("fees")} as fees, {dollars("payoff_worst")} as payoff_worst,
                {dollars("profit")} as profit
            from findings where decision in ('approved', 'refused')
        """,
        "executions": f"""
            select id, account, run, {date("approved_at")} as execution_time,
                {date("ended_at")} as ended_at, kind, event, state, {dollars("outlay")} as outlay,
                {dollars("payoff_worst")} as payoff_worst, {dollars("realised")} as profit,
                {dollars("locked")} as locked, reason,
                (select max(e.bot) from bot_events e
                    where e.plan = plans.id and e.deed = 'asked') as bot_name
            from plans
        """,
        "bot_performance": f"""
            select e.id, e.account, e.bot as bot_name, {date("e.at")} as timestamp, e.deed,
                e.plan, e.detail, {times("asked")} as asked, {times("agreed")} as agreed,
                {times("declined")} as declined, {times("silent")} as silent,
                {times("impossible")} as impossible, {times("restarting")} as restarts,
                {ended("done")} as successes, {ended("unwound")} as failures,
                {dollars(agreed("coalesce(p.realised, 0)"))} as profit,
                {dollars("e.said_profit")} as said_profit, e.said_transaction as tx_hash
            from bot_events e left join plans p on p.id = e.plan
            window so_far as (partition by e.account, e.bot order by e.id)
        """,
    }
