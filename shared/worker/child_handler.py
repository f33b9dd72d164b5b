"""A handler in a child process, so that a record that ends its process does not end the worker."""

import importlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from prometheus_client import Metric

from shared.connect import open_store
from shared.settings import Settings
from shared.store import Store
from shared.telemetry import Metrics
from shared.worker.child import Child, ChildSide, Serve
from shared.worker.limits import choose_limits
from shared.worker.loop import MessageHandler, OutgoingMessage
from shared.worker.stage_handler import StageHandler


@dataclass(frozen=True)
class HandlerTools:
    """What a handler is built of in its own process. A call of the store and of `should_stop` is progress."""

    settings: Settings
    store: Store
    metrics: Metrics
    should_stop: Callable[[], bool]


HandlerFactory = Callable[[HandlerTools], MessageHandler]  # it can be pickled


class ChildHandler:
    """A `MessageHandler` whose work a child process does, within the limits of its group.

    `group` names it. `modules` are what the work needs imported. Raises at once what building the handler raises.
    """

    def __init__(
        self,
        group: str,
        build: HandlerFactory,
        settings: Settings,
        metrics: Metrics,
        stopping: threading.Event,
        modules: Sequence[str] = (),
    ) -> None:
        self.name, self.metrics, self.stopping = group, metrics, stopping
        self._child = Child(partial(_build_server, build, settings), choose_limits(group, settings), modules)
        self.version: int = self._child.start()

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        """As the handler in the child does it. Raises ChildLost, and as `Child.ask`."""
        answer = self._child.ask(value, self._pass_on_stop, self._show_figures)
        return cast(tuple[str, Sequence[OutgoingMessage]], answer)

    def close(self) -> None:
        self._child.close()

    def _show_figures(self, families: list[Metric]) -> None:
        self.metrics.registry.adopted[self.name] = lambda: families

    def _pass_on_stop(self) -> None:
        if self.stopping.is_set():
            self._child.stop_work()


def build_service_handler(
    group: str,
    build: HandlerFactory,
    settings: Settings,
    store: Store,
    metrics: Metrics,
    stopping: threading.Event,
    modules: Sequence[str] = (),
) -> MessageHandler:
    """The handler of a service: in a child process, or in this one if the settings say so. Arguments as ChildHandler's.

    `store` serves this process. The child opens its own.
    """
    if settings.work_in_child:
        return ChildHandler(group, build, settings, metrics, stopping, modules)
    own = Metrics()
    metrics.registry.adopted[group] = own.registry.collect
    return build(HandlerTools(settings, store, own, stopping.is_set))


def build_stage_handler(module: str, tools: HandlerTools) -> MessageHandler:
    """The handler of the stage `STAGE` in a module. A factory for ChildHandler with the module's name given."""
    return StageHandler(importlib.import_module(module).STAGE, tools.store, tools.settings.keep)


class _ReportingStore:
    """A store of which each call is a sign of progress."""

    def __init__(self, store: Store, side: ChildSide) -> None:
        self._store, self._side = store, side

    def __getattr__(self, name: str) -> Any:
        self._side.report()
        return getattr(self._store, name)


def _build_server(build: HandlerFactory, settings: Settings, side: ChildSide) -> tuple[int, Serve]:
    metrics = Metrics()
    side.news = lambda: list(metrics.registry.collect())
    store = cast(Store, _ReportingStore(open_store(settings), side))
    handler = build(HandlerTools(settings, store, metrics, side.should_stop))
    return handler.version, lambda value: handler.handle(value, metrics)
