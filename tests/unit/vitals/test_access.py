import subprocess
from collections import Counter
from pathlib import Path

from ringback.sinks.audit import AuditTrail
from ringback.vitals.access import measures_of_access
from ringback.vitals.audit import measures_of_audit
from ringback.web.access.login import Login
from ringback.web.metrics import Measure, Metrics
from ringback.web.refusals import Refusal
from support.callbacks import START
from support.debian import require_debian


class Standing:
    def now(self) -> object:
        return START


def measures(folder: Path) -> list[Measure]:
    trail = AuditTrail(folder / "audit.jsonl", Standing())  # type: ignore[arg-type]
    trail.close()
    trail.noted, trail.failed = 3, 1
    refusals = Counter({Refusal.ORIGIN: 2})
    return [
        *measures_of_access(refusals, Counter({Login.ACCEPTED: 5})),
        *measures_of_audit(trail),
    ]


def test_every_reason_is_there_from_the_start(tmp_path: Path) -> None:
    text = Metrics(lambda: measures(tmp_path), "1").expose("")[0].decode()
    for reason in Refusal:
        count = 2.0 if reason is Refusal.ORIGIN else 0.0
        assert f'ringback_web_refused_total{{reason="{reason}"}} {count}' in text
    assert 'ringback_logins_total{result="accepted"} 5.0' in text
    assert 'ringback_logins_total{result="refused"} 0.0' in text
    assert "ringback_deeds_noted_total 3.0" in text
    assert "ringback_deeds_not_noted_total 1.0" in text
    promtool = require_debian("prometheus", "promtool")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
