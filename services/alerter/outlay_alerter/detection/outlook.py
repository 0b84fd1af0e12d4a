"""What is likely of a window, and how far from it is still ordinary: by the best predictor, or by a second one."""

from collections.abc import Iterable, Iterator, Sequence
from math import inf

from outlay_alerter.detection.predictors import Predictor

LONGER = 1.04
"""A predictor of a longer cycle wins with an error up to so many times as high: it may be better once a week only."""
COMPARABLE = 1.5
"""Another predictor is heard if its error is less than so many times that of the best."""
_EXPLAINS = 0.5
"""It explains a window if that is ordinary by it, and at most this share of the distance is left."""
Outlook = tuple[float, float, float]
"""What is likely on the scale of the detector, and how far above and below of it is still ordinary."""
Consulted = Sequence[tuple[Predictor, int, float | None]]
"""Of each predictor: the place of a window in its season, and what is usual there."""


def best_of(consulted: Consulted) -> tuple[Predictor | None, float]:
    """Return the predictor with the lowest recent error, and what it says is usual; None: none has seen enough."""
    best: Predictor | None = None
    says, limit = 0.0, inf
    for predictor, _, above in consulted:
        if above is None or not predictor.residuals.ready:
            continue
        if best is None or predictor.error < limit:
            best, says, limit = predictor, above, predictor.error * LONGER
    return best, says


def outlook_by(predictor: Predictor, above: float, where: int, sensitivity: float) -> Outlook:
    """Return the outlook by a predictor, which says that `above` is usual; the noise is that of the place `where`."""
    up, down = predictor.residuals.rooms(sensitivity)
    unit = predictor.unit(where)
    return predictor.level.median() + above, up * unit, down * unit


def alone(predictor: Predictor, predicted: float, where: int, sensitivity: float) -> Outlook:
    """Return the outlook where windows before have nothing to say, because their level was another one."""
    up, down = predictor.residuals.limit
    unit = predictor.unit(where)
    return predicted, up / sensitivity * unit, down / sensitivity * unit


def others(consulted: Consulted, best: Predictor, where: int, sensitivity: float) -> Iterator[Outlook]:
    """Return the outlooks by the predictors that are about as good as the best one."""
    for predictor, _, above in consulted:
        if predictor is best or above is None or not predictor.residuals.ready:
            continue
        if predictor.error < COMPARABLE * best.error:
            yield outlook_by(predictor, above, where, sensitivity)


def explained_by(scaled: float, outlook: Outlook, found: Iterable[Outlook]) -> Outlook | None:
    """Return the first of other outlooks that explains a value which is too far from `outlook`."""
    far = abs(scaled - outlook[0]) * _EXPLAINS
    for other in found:
        residual = scaled - other[0]
        if abs(residual) < far and -other[2] <= residual <= other[1]:
            return other
    return None
