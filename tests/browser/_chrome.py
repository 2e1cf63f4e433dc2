"""A real browser by plain WebDriver HTTP: chromedriver and the standard library, nothing else."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def missing() -> str:
    """Why there is no browser to drive; "" when there is one."""
    gone = [
        names[0]
        for names in (("chromedriver",), ("chromium", "google-chrome", "chrome"))
        if not any(map(shutil.which, names))
    ]
    return f"not installed: {', '.join(gone)} (Debian: apt-get install chromium chromium-driver)" if gone else ""


class Chrome:
    """One headless browser. `logs()` returns console messages, `requests()` what was fetched."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home = tempfile.mkdtemp()
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.base = f"http://127.0.0.1:{self.port}"
        self._wait()
        binary = next(b for n in ("chromium", "google-chrome", "chrome") if (b := shutil.which(n)))
        options = {"binary": binary, "args": [*QUIET, f"--user-data-dir={self.home}"]}
        made = self.call(
            "POST",
            "/session",
            {
                "capabilities": {
                    "alwaysMatch": {
                        "goog:chromeOptions": options,
                        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                    }
                }
            },
        )
        self.base += f"/session/{made['sessionId']}"

    def _wait(self) -> None:
        for _ in range(100):
            try:
                self.call("GET", "/status")
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("chromedriver does not answer")

    def call(self, verb: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=verb)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def cdp(self, command: str, **params: Any) -> Any:
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.cdp(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": scheme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )
        self.call("POST", "/url", {"url": path.as_uri()})

    def js(self, script: str, *args: Any) -> Any:
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def point(self, x: float, y: float, *, touch: bool = False, press: bool = False) -> None:
        """Move a mouse there (and press), or tap."""
        moves: list[dict[str, Any]] = [{"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}]
        if touch or press:
            moves += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.call(
            "POST",
            "/actions",
            {
                "actions": [
                    {
                        "type": "pointer",
                        "id": "finger" if touch else "mouse",
                        "actions": moves,
                        "parameters": {"pointerType": "touch" if touch else "mouse"},
                    }
                ]
            },
        )

    def press(self, key: str) -> None:
        self.call(
            "POST",
            "/actions",
            {
                "actions": [
                    {
                        "type": "key",
                        "id": "keys",
                        "actions": [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}],
                    }
                ]
            },
        )

    def logs(self) -> list[str]:
        return [
            e["message"]
            for e in self.call("POST", "/se/log", {"type": "browser"})
            if e["level"] in ("SEVERE", "WARNING")
        ]

    def requests(self) -> list[str]:
        """Every address asked for since the last call; `data:`, the page itself and the empty new tab left out."""
        entries = [json.loads(e["message"])["message"] for e in self.call("POST", "/se/log", {"type": "performance"})]
        asked = [e["params"]["request"]["url"] for e in entries if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "file:", "chrome:"))]

    def close(self) -> None:
        self.call("DELETE", "")
        self.driver.terminate()
        self.driver.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)
