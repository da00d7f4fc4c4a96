"""What the demo prints."""

from rich.console import Console

from deploy.local import screen


def test_a_verdict_is_printed_with_each_rule_as_on_its_page():
    passed = {"rule": "exact_match at least 0.8", "figure": 0.87878, "limit": 0.8, "passed": True, "reason": "n = 33"}
    worse = {"rule": "better than production", "figure": -0.0304, "limit": 0, "passed": False, "reason": "n = 33"}
    verdict = {"approved": False, "policy": "exact", "rules": [passed, {**worse, "is_difference": True}]}
    console = Console(width=100)
    with console.capture() as printed:
        console.print(screen.verdict({"verdict": verdict, "step": 40}))
    assert "✓ exact_match at least 0.8: 0.879 (n = 33)" in printed.get()
    assert "✗ better than production: −0.030 (n = 33)" in printed.get()
