"""Delivers one document the way public Python clients do: three calls, Location taken as it is, Basic sent unasked.

usage: client.py BASE USERNAME SECRET PROJECT FILE [NAME]
Prints the JSON of the delivery.
"""
import base64
import json
import sys
import urllib.parse
import urllib.request

base, username, secret, project, path = sys.argv[1:6]
name = sys.argv[6] if len(sys.argv) > 6 else None
sign_on = "Basic " + base64.b64encode(f"{username}:{secret}".encode()).decode()


def call(method, url, body=None, content_type=None):
    headers = {"Authorization": sign_on}
    if content_type:
        headers["Content-Type"] = content_type
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers, answer.read()


with open(path, "rb") as file:
    document = file.read()

_, answer = call("POST", f"{base}/api/v2/{project}/validatie", document, "application/xml")
assert json.loads(answer)["status"] == "VALIDE", answer

headers, _ = call("POST", f"{base}/api/v2/{project}/uploads", b"", "application/xml")
upload = headers["Location"]
query = "?" + urllib.parse.urlencode({"filename": name}) if name else ""
call("POST", upload + "/brondocumenten" + query, document, "application/xml")

body = json.dumps({"upload": int(upload.split("/")[-1])}).encode()
headers, _ = call("POST", f"{base}/api/v2/{project}/leveringen", body, "application/json")
_, answer = call("GET", headers["Location"])
print(answer.decode())
