# SPDX-License-Identifier: MIT
"""The intermediaries: a configuration for each, and what each is known to do.

A kind turns routes into a configuration file and a command that stays in the
foreground. Facts that differ from one to the next are its attributes, so that the
tests state them instead of passing over them.
"""
import os
import shutil

LONG = 60  # seconds; longer than any test
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"


class Route:
    """A path, the port of the origin behind it, and the seconds of silence allowed."""

    def __init__(self, path, port, timeout=LONG, upgrade=True):
        self.path, self.port, self.timeout, self.upgrade = path, port, timeout, upgrade


class Kind:
    name = program = ""
    # Answered in place of an origin that refuses connections (RFC 9110, 15.6.3 and
    # 15.6.4: both fit), and of one that says nothing; None: the client waits for ever.
    down = 502
    silent = 504
    # Whether it ends a connection over which nothing was sent for the route's timeout.
    cuts_silence = True
    # What the origin then sees: an orderly end of the stream, or a reset.
    cut_rule = "EOF"
    # How field names of the request look at the origin: they mean the same in any
    # case (RFC 9110, 5.1), but a server that compares octets fails behind some.
    key_name = "Sec-WebSocket-Key"
    # Whether an X-Forwarded-For that the client brought along is kept in front.
    keeps_forwarded = True
    # Whether it relays requests without upgrade on the same routes.
    relays_pages = True
    # Whether it can be told to relay no upgrade at all.
    can_omit_upgrade = False

    @classmethod
    def missing(cls):
        """What is not installed, or None."""
        return None if shutil.which(cls.program, path=SYSTEM_PATH) else cls.program

    @classmethod
    def path(cls):
        return shutil.which(cls.program, path=SYSTEM_PATH)


# -------------------------------------------------------------------- nginx

class Nginx(Kind):
    """The configuration that its own manual gives: without the two fields and the
    version it speaks HTTP/1.0 to the origin and passes no upgrade on."""
    name, program = "nginx", "nginx"
    can_omit_upgrade = True

    @staticmethod
    def location(route):
        lines = ["location = %s {" % route.path,
                 "  proxy_pass http://127.0.0.1:%d;" % route.port,
                 "  proxy_set_header Host $http_host;",
                 "  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
                 "  proxy_connect_timeout 2s;",
                 "  proxy_read_timeout %ds;" % route.timeout,
                 "  proxy_send_timeout %ds;" % route.timeout]
        if route.upgrade:
            lines += ["  proxy_http_version 1.1;",
                      "  proxy_set_header Upgrade $http_upgrade;",
                      "  proxy_set_header Connection $connection_upgrade;"]
        return "\n".join(lines + ["}"])

    @classmethod
    def write(cls, folder, port, routes):
        temporary = "\n".join("%s_temp_path %s/%s;" % (name, folder, name)
                              for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "conf").write_text("""
daemon off;
worker_processes 1;
pid %(folder)s/pid;
error_log %(folder)s/log;
events { worker_connections 256; }
http {
  access_log off;
  %(temporary)s
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen 127.0.0.1:%(port)d;
    location / { return 404; }
    %(locations)s
  }
}
""" % {"folder": folder, "temporary": temporary, "port": port, "locations": "\n".join(map(cls.location, routes))})
        return [cls.path(), "-e", "%s/log" % folder, "-p", str(folder), "-c", "%s/conf" % folder]


# ------------------------------------------------------------------ haproxy

class Haproxy(Kind):
    """timeout tunnel counts from the 101 on, for both directions together; the
    timeouts of client and server count up to then."""
    name, program = "haproxy", "haproxy"
    down = 503
    cut_rule = "ABORT"
    key_name = "sec-websocket-key"  # all names become lower case on their way

    @classmethod
    def write(cls, folder, port, routes):
        uses = ["  use_backend b%d if { path %s }" % (i, route.path) for i, route in enumerate(routes)]
        backends = ["backend b%d\n  timeout server %ds\n  timeout tunnel %ds\n  server s 127.0.0.1:%d"
                    % (i, route.timeout, route.timeout, route.port) for i, route in enumerate(routes)]
        known = " ".join(route.path for route in routes)
        (folder / "conf").write_text("""
global
  nbthread 1
  maxconn 256
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client %(long)ds
frontend front
  bind 127.0.0.1:%(port)d
  option forwardfor
  http-request return status 404 content-type text/plain string "nothing here" unless { path %(known)s }
%(uses)s
%(backends)s
""" % {"long": LONG, "port": port, "known": known, "uses": "\n".join(uses), "backends": "\n".join(backends)})
        return [cls.path(), "-db", "-f", "%s/conf" % folder]


# ------------------------------------------------------------------- apache

class Apache(Kind):
    """A tunnel ends after the longer of two timeouts, the one of the route and the
    one of the clients, so the short one must be said twice."""
    program = "apache2"
    down = 503
    modules = "/usr/lib/apache2/modules"
    loads = ()

    @classmethod
    def missing(cls):
        lacking = [name for name in cls.loads if not os.path.exists("%s/mod_%s.so" % (cls.modules, name))]
        return super().missing() or (lacking[0] if lacking else None)

    @classmethod
    def write(cls, folder, port, routes):
        (folder / "empty").mkdir(exist_ok=True)
        loads = ["LoadModule %s_module %s/mod_%s.so" % (name, cls.modules, name) for name in cls.loads]
        # It does not serve as root, but gives that up for an account named here.
        account = "User www-data\nGroup www-data\n" if os.geteuid() == 0 else ""
        (folder / "conf").write_text("""
ServerRoot %(folder)s
ServerName localhost
DefaultRuntimeDir %(folder)s
PidFile %(folder)s/pid
ErrorLog %(folder)s/log
DocumentRoot %(folder)s/empty
Listen 127.0.0.1:%(port)d
%(loads)s
%(account)sStartServers 1
ServerLimit 1
ThreadsPerChild 32
MaxRequestWorkers 32
Timeout %(timeout)d
ProxyPreserveHost On
%(passes)s
""" % {"folder": folder, "port": port, "loads": "\n".join(loads), "account": account,
       "timeout": min(route.timeout for route in routes),
       "passes": "\n".join(map(cls.pass_line, routes))})
        return [cls.path(), "-f", "%s/conf" % folder, "-DFOREGROUND"]


class ApacheTunnel(Apache):
    """mod_proxy_wstunnel. Without mod_proxy_http, to which it would leave the work.
    It joins the two connections before there was an answer, and its tunnel has no
    timeout of any kind: it never gives up an origin, nor a connection."""
    name = "apache-wstunnel"
    silent = None
    cuts_silence = False
    relays_pages = False
    loads = ("mpm_event", "authz_core", "proxy", "proxy_wstunnel")

    @staticmethod
    def pass_line(route):
        return "ProxyPass %s ws://127.0.0.1:%d%s retry=0 timeout=%d" % (route.path, route.port, route.path,
                                                                      route.timeout)


class ApacheUpgrade(Apache):
    """mod_proxy_http with upgrade=websocket."""
    name = "apache-upgrade"
    silent = 502
    loads = ("mpm_event", "authz_core", "proxy", "proxy_http")
    can_omit_upgrade = True

    @staticmethod
    def pass_line(route):
        upgrade = " upgrade=websocket" if route.upgrade else ""
        return "ProxyPass %s http://127.0.0.1:%d%s retry=0 timeout=%d%s" % (route.path, route.port, route.path,
                                                                          route.timeout, upgrade)


# -------------------------------------------------------------------- caddy

class Caddy(Kind):
    name, program = "caddy", "caddy"
    key_name = "Sec-Websocket-Key"  # names get the capitals of Go's canonical form
    keeps_forwarded = False         # what a client says who is not a trusted proxy is left out

    @staticmethod
    def handle(route):
        return """
  handle %s {
    reverse_proxy 127.0.0.1:%d {
      transport http {
        dial_timeout 2s
        response_header_timeout %ds
        read_timeout %ds
        write_timeout %ds
      }
    }
  }""" % (route.path, route.port, route.timeout, route.timeout, route.timeout)

    @classmethod
    def write(cls, folder, port, routes):
        (folder / "conf").write_text("""{
  admin off
  auto_https off
}
http://:%d {
  bind 127.0.0.1%s
  handle {
    respond 404
  }
}
""" % (port, "".join(map(cls.handle, routes))))
        return [cls.path(), "run", "--config", "%s/conf" % folder, "--adapter", "caddyfile"]


KINDS = [Nginx, Haproxy, ApacheTunnel, ApacheUpgrade, Caddy]
