"""From when on counters count where no other date is set. A room of its own: settings need it, and no database."""

from typing import Final

SINCE_DATE: Final = "2025-10-10T08:00:00Z"
