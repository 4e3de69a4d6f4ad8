"""Opens /docs in headless Chromium and sends requests from the page. Fails on a console error, an uncaught exception or a request to
another host. It uses Chromium's debugging protocol over pipes, so it needs only Python.

    docs_test.py CHROMIUM http://127.0.0.1:8080 [SCREENSHOT.png]
"""

import base64
import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

LIMIT = 30  # seconds, for each thing that is waited for


class Browser:
    """A page of a Chromium of its own."""

    def __init__(self, program, profile):
        to_browser, self.output = os.pipe()
        self.input, from_browser = os.pipe()

        def give_pipes():  # the protocol's descriptors are 3 and 4
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        arguments = [
            program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run", "--disable-gpu",
            "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]
        if os.geteuid() == 0:  # its sandbox refuses root
            arguments.append("--no-sandbox")
        self.process = subprocess.Popen(
            arguments + ["about:blank"], close_fds=False, preexec_fn=give_pipes, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.buffer, self.sent, self.events, self.session = b"", 0, [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.call(f"{domain}.enable")

    def message(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError("the browser is silent")
            piece = os.read(self.input, 1 << 16)
            if not piece:
                raise EOFError("the browser has ended")
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.sent += 1
        request = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.output, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + LIMIT
        while True:
            message = self.message(deadline)
            if message.get("id") == self.sent:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def value(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def wait_for(self, what, expression):
        deadline = time.monotonic() + LIMIT
        while True:
            found = self.value(expression)
            if found:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come")
            time.sleep(0.05)

    def type_into(self, selector, text):
        self.value(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def try_it(self, operation, **fields):
        """Fills in a route's form, sends it, gives back what the page shows."""
        self.value(f"document.getElementById('{operation}').open = true")
        self.value(f"document.querySelector('#{operation} output').replaceChildren()")
        for name, text in fields.items():
            self.type_into(f"#{operation} input[name={name}]", text)
        self.value(f"document.querySelector('#{operation} form button').click()")
        shown = f"document.querySelector('#{operation} output').textContent"
        return self.wait_for(f"the reply to {operation}", f"{shown}.includes('X-Request-Id') && {shown}")

    def end(self):
        self.process.terminate()
        self.process.wait(LIMIT)


def complaints(events, host):
    """What a visitor's console would show, and requests that leave for elsewhere."""
    for event in events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            yield f"exception: {parameters['exceptionDetails']}"
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            yield f"console: {parameters['args']}"
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            yield f"log: {parameters['entry']}"
        elif method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if urlsplit(url).netloc != host:
                yield f"a request to another host: {url}"


def visit(browser, base, screenshot):
    browser.call("Page.navigate", url=f"{base}/docs")
    browser.wait_for("the page", "document.body && document.body.dataset.ready === 'yes'")
    routes = browser.value("document.querySelectorAll('#operations > details').length")
    assert routes == 10, f"{routes} routes"
    name, password = f"visitor-{secrets.token_hex(6)}", "correct horse"
    registered = browser.try_it("user_register", username=name, password=password)
    assert '"status_code": 0' in registered, registered
    browser.value("document.getElementById('token').value = ''")
    login = browser.try_it("user_login", username=name, password=password)
    assert '"status_code": 0' in login, login
    assert browser.value("document.getElementById('token').value.split('.').length") == 3, "no token after the login"
    user = browser.try_it("user")
    assert name in user, user
    refused = browser.try_it("favorite_action", video_id="x", action_type="1")
    assert "video_id: is not a number" in refused, refused
    if screenshot:
        picture = browser.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(screenshot, "wb") as file:
            file.write(base64.b64decode(picture["data"]))


def main(program, base, screenshot=None):
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        try:
            visit(browser, base, screenshot)
            found = list(complaints(browser.events, urlsplit(base).netloc))
            requests = [event for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
        finally:
            browser.end()
    for line in found:
        print(line, file=sys.stderr)
    print(f"/docs: 10 routes, registered, logged in; {len(requests)} requests, {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
