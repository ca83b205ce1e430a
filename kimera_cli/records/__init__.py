"""Every public output line, declared once: a CLI line, an API body, a TUI row, a JSON Schema."""

from __future__ import annotations

from kimera_cli.records.base import SCHEMA_VERSION, End, Error, JsonObject, Record
from kimera_cli.records.bench import Bench, BenchChange
from kimera_cli.records.data import (
    Bar,
    Check,
    Dataset,
    DatasetDay,
    DatasetSource,
    Event,
    Exported,
    Imported,
    Recording,
)
from kimera_cli.records.fidelity import Agreement, FidelityBasis, FidelityCause, FillMatch
from kimera_cli.records.history import (
    BookSnapshot,
    Candle,
    ConsolidatedLevel,
    ConsolidatedTop,
    Fetched,
    FundingRate,
    Gap,
    PublicTrade,
    Ticker,
    VenueMarket,
)
from kimera_cli.records.host import Doctor, HostChange, HostItem, HostResult, Jitter, Preparation
from kimera_cli.records.journal import JournalCheck, JournalEntry
from kimera_cli.records.orders import Difference
from kimera_cli.records.profile import ProfileInfo, ProfileValue
from kimera_cli.records.report import Comparison, Metric, ReportFile, Stage
from kimera_cli.records.strategy import Strategy, StrategyParam, Written
from kimera_cli.records.table import DecisionTable, TableCell, TablePoint, TableQuality, TableUse
from kimera_cli.records.trade import (
    KillSwitch,
    TradeBalance,
    TradeFees,
    TradeFill,
    TradeOrder,
    TradePosition,
    TradeRequest,
)
from kimera_cli.records.trading import (
    Breaker,
    Denial,
    Fill,
    Funding,
    Halt,
    Holding,
    Notice,
    Order,
    RunSummary,
)
from kimera_cli.records.venue import Fault, Soak, VenueCheck, VenueEnded, VenueListening

ALL: tuple[type[Record], ...] = tuple(Record.__subclasses__())

__all__ = [
    "ALL",
    "SCHEMA_VERSION",
    "Agreement",
    "Bar",
    "Bench",
    "BenchChange",
    "BookSnapshot",
    "Breaker",
    "Candle",
    "Check",
    "Comparison",
    "ConsolidatedLevel",
    "ConsolidatedTop",
    "Dataset",
    "DatasetDay",
    "DatasetSource",
    "DecisionTable",
    "Denial",
    "Difference",
    "Doctor",
    "End",
    "Error",
    "Event",
    "Exported",
    "Fault",
    "Fetched",
    "FidelityBasis",
    "FidelityCause",
    "Fill",
    "FillMatch",
    "Funding",
    "FundingRate",
    "Gap",
    "Halt",
    "Holding",
    "HostChange",
    "HostItem",
    "HostResult",
    "Imported",
    "Jitter",
    "JournalCheck",
    "JournalEntry",
    "JsonObject",
    "KillSwitch",
    "Metric",
    "Notice",
    "Order",
    "Preparation",
    "ProfileInfo",
    "ProfileValue",
    "PublicTrade",
    "Record",
    "Recording",
    "ReportFile",
    "RunSummary",
    "Soak",
    "Stage",
    "Strategy",
    "StrategyParam",
    "TableCell",
    "TablePoint",
    "TableQuality",
    "TableUse",
    "Ticker",
    "TradeBalance",
    "TradeFees",
    "TradeFill",
    "TradeOrder",
    "TradePosition",
    "TradeRequest",
    "VenueCheck",
    "VenueEnded",
    "VenueListening",
    "VenueMarket",
    "Written",
]
