"""A Hub of one's own, on this machine: as much of its HTTP interface as an upload needs.

Run as a program it prints its address, and keeps what it is sent in the folder given.
"""

import base64
import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef0123{:04d}"


class Handler(BaseHTTPRequestHandler):
    root, commits = None, 0

    def log_message(self, *args):
        pass

    def answer(self, content, status=200, headers=()):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    @property
    def address(self):
        return f"http://{self.headers['Host']}"

    def repository(self, name):
        return self.root / "repositories" / name.replace("/", "--")

    def files(self, name):
        folder = self.repository(name)
        return [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()]

    def do_GET(self):
        path = unquote(self.path.partition("?")[0])
        if found := re.fullmatch(r"/api/models/(.+)/revision/.+|/api/models/([^/]+/[^/]+)", path):
            name = found[1] or found[2]
            if not self.repository(name).is_dir():
                return self.missing()
            siblings = [{"rfilename": file} for file in self.files(name)]
            commit = COMMIT.format(type(self).commits)
            return self.answer({"id": name, "sha": commit, "siblings": siblings})
        if found := re.fullmatch(r"/api/models/(.+?)/tree/.+", path):
            name = found[1]
            entries = [
                {"type": "file", "path": f, "oid": "0" * 40, "size": 1} for f in self.files(name)
            ]
            return self.answer(entries)
        found = re.fullmatch(r"/(.+?)/resolve/[^/]+/(.+)", path)
        if found and (self.repository(found[1]) / found[2]).is_file():
            content = (self.repository(found[1]) / found[2]).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            commit = COMMIT.format(type(self).commits)
            return self.answer(
                content, headers=[("ETag", f'"{digest}"'), ("X-Repo-Commit", commit)]
            )
        return self.missing()

    def do_HEAD(self):
        self.do_GET()

    def missing(self):
        self.answer({"error": "not found"}, 404, [("X-Error-Code", "RepoNotFound")])

    def do_PUT(self):
        (self.root / "blobs").mkdir(exist_ok=True)
        (self.root / "blobs" / self.path.rpartition("/")[2]).write_bytes(self.body())
        self.answer({})

    def do_POST(self):
        path, content = unquote(self.path.partition("?")[0]), self.body()
        if (self.root / "refuse").exists():
            return self.answer({"error": "read only"}, 403)
        if path == "/api/validate-yaml":
            return self.answer({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            asked = json.loads(content)
            name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
            (self.root / "authorization").write_text(self.headers.get("Authorization", ""))
            self.repository(name).mkdir(parents=True, exist_ok=True)
            return self.answer({"url": f"{self.address}/{name}", "name": name})
        if found := re.fullmatch(r"/api/models/(.+)/preupload/.+", path):
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for file in json.loads(content)["files"]
            ]
            return self.answer({"files": files})
        if found := re.fullmatch(r"/(.+)\.git/info/lfs/objects/batch", path):
            objects = [
                {
                    **one,
                    "actions": {"upload": {"href": f"{self.address}/blob/{one['oid']}"}},
                }
                for one in json.loads(content)["objects"]
            ]
            kind = [("Content-Type", "application/vnd.git-lfs+json")]
            return self.answer({"transfer": "basic", "objects": objects}, headers=kind)
        if found := re.fullmatch(r"/api/models/(.+)/commit/.+", path):
            folder = self.repository(found[1])
            for line in content.decode().splitlines():
                self.do(folder, **json.loads(line))
            type(self).commits += 1
            commit = COMMIT.format(type(self).commits)
            told = {"commitUrl": f"{self.address}/{found[1]}/commit/{commit}", "commitOid": commit}
            return self.answer({"success": True, **told})
        return self.missing()

    def do(self, folder, key, value):
        if key == "header":
            (self.root / "summary").write_text(value["summary"])
            return
        file = folder / value["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        if key == "file":
            file.write_bytes(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            file.write_bytes((self.root / "blobs" / value["oid"]).read_bytes())
        elif key == "deletedFile":
            file.unlink()


if __name__ == "__main__":
    Handler.root = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
