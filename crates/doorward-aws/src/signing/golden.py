"""Writes golden.json: what botocore signs with keys and a clock that are given.

Made by `python3 golden.py > golden.json` with botocore 1.44.5, from an environment that holds moto 5.2.5.
"""

import datetime
import json
from unittest import mock

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 11, 22, 10, 0, 0, tzinfo=datetime.timezone.utc)
ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEPH//////////wEaDEXAMPLE+token/with=signs=="

DATABASES = [
    ("orders-prod.c1a2b3c4d5e6.eu-west-1.rds.amazonaws.com", 5432, "jon"),
    ("orders-prod.c1a2b3c4d5e6.eu-west-1.rds.amazonaws.com", 3306, "jon doe+dbs/é@example.org"),
    ("orders-prod.proxy-c1a2b3c4d5e6.eu-west-1.rds.amazonaws.com", 443, "app"),
    ("Orders-Prod.c1a2b3c4d5e6.EU-West-1.rds.amazonaws.com", 5432, "jon"),
]
UPGRADES = [
    "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/jon-0a1b2c3d4e5f60718?role=publish_subscribe",
    "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/jon@example.org-0a1b2c3d?role=publish_subscribe",
    "ws://127.0.0.1:8443/v1/data-channel/ren=C3=A9-0a1b2c3d?role=publish_subscribe",
]
TUNNELS = [
    "wss://eice-0a1b2c3d4e5f60718.b1946ac9.ec2-instance-connect-endpoint.eu-west-1.amazonaws.com/openTunnel"
    "?instanceConnectEndpointId=eice-0a1b2c3d4e5f60718&remotePort=22&privateIpAddress=10.0.1.7&maxTunnelDuration=3600",
    "ws://127.0.0.1:8443/openTunnel?instanceConnectEndpointId=eice-0a&remotePort=3389&privateIpAddress=2001%3Adb8%3A%3A7",
]


def main():
    mock.patch("botocore.auth.get_current_datetime", lambda: NOW.replace(tzinfo=None)).start()
    golden = {"id": ID, "secret": SECRET, "token": TOKEN, "now": NOW.isoformat().replace("+00:00", "Z"), "region": "eu-west-1"}
    golden["databases"], golden["upgrades"], golden["tunnels"] = [], [], []
    for token in [None, TOKEN]:
        session = botocore.session.Session()
        session.set_credentials(ID, SECRET, token)
        client = session.create_client("rds", region_name="eu-west-1")
        credentials = Credentials(ID, SECRET, token)
        for host, port, user in DATABASES:
            signed = client.generate_db_auth_token(host, port, user)
            golden["databases"].append({"host": host, "port": port, "user": user, "with_token": token is not None, "signed": signed})
        for url in UPGRADES:
            request = AWSRequest("GET", url)
            botocore.auth.SigV4Auth(credentials, "ssmmessages", "eu-west-1").add_auth(request)
            headers = {name.lower(): value for name, value in request.headers.items()}
            golden["upgrades"].append({"url": url, "with_token": token is not None, "headers": headers})
        for url in TUNNELS:
            request = AWSRequest("GET", url)
            botocore.auth.SigV4QueryAuth(credentials, "ec2-instance-connect", "eu-west-1", 60).add_auth(request)
            golden["tunnels"].append({"url": url, "with_token": token is not None, "signed": request.url})
    print(json.dumps(golden, indent=1))


main()
