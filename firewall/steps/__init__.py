"""A judged capture as steps, one for each verdict row: what a page or a terminal shows of it, as JSON objects.

    steps = Steps.of(capture, {"sg": ..., "stateless": ..., "nacl": ...})
    steps.scene(); steps.rows(1, 200); steps.detail(12)

Nothing here judges. A capture is held in memory and judged once by each reading (`track`); what the table held
at a step is read from a fork of the firewall that goes on from the nearest one kept. `page` holds the script and
the style that show it in a browser.
"""

from firewall.steps.steps import Steps

__all__ = ["Steps"]
