"""Uploads a body by http.client: URL FILE CONTENT_TYPE BEARER length|chunked EXPECT. Prints the status and the body of the answer."""

import http.client
import sys
import urllib.parse

url, file, content_type, bearer, framing, expect = sys.argv[1:]
address = urllib.parse.urlsplit(url)
headers = {"Content-Type": content_type}
if bearer:
    headers["Authorization"] = "Bearer " + bearer
if expect:
    headers["Expect"] = expect
with open(file, "rb") as body:
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    if framing == "length":
        body.seek(0, 2)
        headers["Content-Length"] = str(body.tell())
        body.seek(0)
    else:
        headers["Transfer-Encoding"] = "chunked"
    connection.request("POST", address.path, body, headers, encode_chunked=framing == "chunked")
    answer = connection.getresponse()
    print(answer.status, answer.read().decode())
