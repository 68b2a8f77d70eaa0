"""moto with what AWS does and moto does not: an inactive access key signs nothing.

`serve DIR` listens on a free port of loopback and makes an account with two users: `admin`, who may change access keys, and
`deploy` with two keys, one to leak and a neighbour that must survive. Called by moto.sh; not named moto.py, which would hide the package.
"""

import os
import pathlib
import sys
import threading
import urllib.request

import boto3
from botocore.config import Config


def client(service, endpoint, key_id, secret, token=None):
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"max_attempts": 1}),
    )


def patch():
    """Refuses keys whose status is not Active, as InvalidClientTokenId."""
    from moto.iam import access_control

    first = access_control.IAMUserAccessKey.__init__

    def init(self, account_id, partition, access_key_id, headers):
        first(self, account_id, partition, access_key_id, headers)
        for user in self.backend.list_users("/", None, None):
            for key in user.access_keys:
                if key.access_key_id == access_key_id and key.status != "Active":
                    raise access_control.CreateAccessKeyFailure(reason="InvalidId")

    access_control.IAMUserAccessKey.__init__ = init


def set_up(endpoint, run):
    """Makes users and keys before authorisation is on, then turns it on."""
    iam = client("iam", endpoint, "any", "any")
    may = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"%s","Resource":"*"}]}'
    pairs = {}
    for user, action in (("admin", "iam:*"), ("deploy", "sts:AssumeRole"), ("weak", "iam:GetUser")):
        iam.create_user(UserName=user, Path="/ci/" if user == "deploy" else "/")
        iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=may % action)
        for name in ("LEAK", "NEIGHBOUR") if user == "deploy" else (user.upper(),):
            pairs[name] = iam.create_access_key(UserName=user)["AccessKey"]
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
    role = iam.create_role(RoleName="builder", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    session = client("sts", endpoint, "any", "any").assume_role(RoleArn=role, RoleSessionName="run-1")
    urllib.request.urlopen(
        urllib.request.Request(
            endpoint + "/moto-api/reset-auth",
            data=b"0",
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
    ).read()
    lines = [f"ENDPOINT={endpoint}"]
    for name, pair in pairs.items():
        lines += [f"{name}_ID={pair['AccessKeyId']}", f"{name}_SECRET={pair['SecretAccessKey']}"]
    session = session["Credentials"]
    lines += [
        f"SESSION_ID={session['AccessKeyId']}",
        f"SESSION_SECRET={session['SecretAccessKey']}",
        f"SESSION_TOKEN={session['SessionToken']}",
    ]
    half = run / "keys.half"
    half.touch(mode=0o600)
    half.write_text("\n".join(lines) + "\n")
    half.rename(run / "keys.env")


def serve(run):
    os.environ.setdefault("INITIAL_NO_AUTH_ACTION_COUNT", "inf")
    patch()
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server(
        "127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True
    )
    (run / "port").write_text(str(server.port))
    endpoint = f"http://127.0.0.1:{server.port}"
    threading.Thread(target=set_up, args=(endpoint, run), daemon=True).start()
    server.serve_forever()


def keys(run):
    lines = (run / "keys.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def main():
    command, run = sys.argv[1], pathlib.Path(sys.argv[2])
    if command == "serve":
        return serve(run)
    env = keys(run)
    iam = client("iam", env["ENDPOINT"], env["ADMIN_ID"], env["ADMIN_SECRET"])
    if command == "status":
        iam.update_access_key(UserName="deploy", AccessKeyId=sys.argv[3], Status=sys.argv[4])
    else:
        for key in iam.list_access_keys(UserName="deploy")["AccessKeyMetadata"]:
            print(key["AccessKeyId"], key["Status"])


if __name__ == "__main__":
    main()
