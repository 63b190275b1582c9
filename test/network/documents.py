# SPDX-License-Identifier: MIT
"""Public documents of content networks about WebSocket, and what each of them says.

A profile names a network only through a document here. The sentences are our own
short account of the page as we read it; such pages change, and networks with them.
"""
import collections

Document = collections.namedtuple("Document", "network title address says")

NETWORKS = ("Akamai", "Azion", "Bunny", "CDN77", "Cloudflare", "CloudFront", "EdgeNext", "Edgio", "Fastly",
            "Gcore", "Imperva", "StackPath")

DOCUMENTS = {
    "akamai": Document(
        "Akamai", "WebSockets (Property Manager)",
        "https://techdocs.akamai.com/property-mgr/docs/websockets-support",
        "passes WebSocket; upgrades may be declined and connections dropped, so clients must retry and fall back; "
        "it knows nothing of frames and closes TCP when either end does"),
    "azion": Document(
        "Azion", "WebSocket Proxy",
        "https://www.azion.com/en/documentation/products/build/edge-application/websocket/",
        "a module that must be on; without Upgrade: websocket and Connection: upgrade the request is not upgraded "
        "towards the origin"),
    "azion-rules": Document(
        "Azion", "WebSocket (how-to)",
        "https://github.com/aziontech/docs_en/blob/master/how-to/configurations/websocket/index.md",
        "a rule of the configuration must add Upgrade and Connection: Upgrade to the request for the origin"),
    "bunny": Document(
        "Bunny", "WebSockets (CDN)", "https://docs.bunny.net/cdn/websockets",
        "must be switched on for a pull zone; accepts only so many connections at a time"),
    "bunny-script": Document(
        "Bunny", "WebSockets (Edge Scripting)", "https://docs.bunny.net/scripting/websockets",
        "closes when the client has sent nothing for 2 minutes"),
    "cloudflare": Document(
        "Cloudflare", "WebSockets (Network)", "https://developers.cloudflare.com/network/websockets/",
        "passes WebSocket; the first request is subject to the firewall; a release of new code may restart servers, "
        "which ends connections; advises a keepalive"),
    "cloudflare-headers": Document(
        "Cloudflare", "Cloudflare HTTP headers",
        "https://developers.cloudflare.com/fundamentals/reference/http-headers/",
        "adds CF-Connecting-IP, CF-Ray, CF-Visitor, CF-IPCountry, CDN-Loop, X-Forwarded-For and -Proto to requests, "
        "sets Accept-Encoding and Connection, adds CF-Ray to answers"),
    "cloudflare-limits": Document(
        "Cloudflare", "Connection limits",
        "https://developers.cloudflare.com/fundamentals/reference/connection-limits/",
        "an origin that does not take the connection gives 522, one that does not answer 524"),
    "cloudflare-idle": Document(
        "Cloudflare", "Cloudflare Websocket Timeout? (Cloudflare Community)",
        "https://community.cloudflare.com/t/cloudflare-websocket-timeout/5865",
        "connections end after 100 s without traffic, only enterprise plans may change it; keepalives help"),
    "cloudfront": Document(
        "CloudFront", "Use WebSockets with CloudFront distributions",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-working-with.websockets.html",
        "passes WebSocket if the policy forwards Sec-WebSocket-Key and -Version to the origin; clients are expected to "
        "connect again"),
    "cloudfront-quotas": Document(
        "CloudFront", "Quotas (WebSocket connections)",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html",
        "closes when no octet has come from the origin for 10 minutes"),
    "cloudfront-behaviour": Document(
        "CloudFront", "Request and response behavior for custom origins",
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html",
        "adds X-Amz-Cf-Id and X-Forwarded-For, replaces Host and User-Agent, removes Upgrade unless it is WebSocket; "
        "a request over 20,480 octets is answered with 413"),
    "edgio": Document(
        "Edgio", "Edgio provides support for WebSockets",
        "https://edg.io/resources/blog/edgio-delivery-provides-support-for-websockets/",
        "passes WebSocket; the handshake is shown with Upgrade: WebSocket"),
    "fastly": Document(
        "Fastly", "WebSockets passthrough",
        "https://www.fastly.com/documentation/guides/concepts/real-time-messaging/websockets-tunnel",
        "passes WebSocket where the program hands the request off; one connection to the origin for each client"),
    "fastly-product": Document(
        "Fastly", "WebSockets (product)", "https://docs.fastly.com/products/websockets",
        "off by default; fields added, removed or changed on the request are so in the handoff"),
    "gcore": Document(
        "Gcore", "WebSockets: allow permanent connections with the origin",
        "https://gcore.com/docs/cdn/cdn-resource-options/websockets-allow-permanent-connections-with-the-origin",
        "on for whole sites, off for resources that deliver static files only"),
    "gcore-timeouts": Document(
        "Gcore", "CDN timeouts", "https://gcore.com/docs/cdn/getting-started/cdn-timeouts",
        "proxy_read_timeout 30 s between two reads from the origin, 408 for a request head that takes over 10 s"),
    "stackpath": Document(
        "StackPath", "How To Use WebSockets with the StackPath CDN",
        "https://support.stackpath.com/hc/en-us/articles/360030984211-How-To-Use-WebSockets-with-the-StackPath-CDN",
        "passes WebSocket once a switch of the site is on"),
}


def networks(keys):
    """The networks of some documents, each once, in order."""
    return sorted({DOCUMENTS[key].network for key in keys})


# Networks without a document above, of which something is known all the same.
UNREAD = {
    "Imperva": 'the manual "Cloud Application and Network Security" has a chapter "WebSocket Support"; '
               "we saw it in the contents only",
}


def lack(network):
    """What stands in the place of a network's documents, where there are none."""
    return UNREAD.get(network, "no public document found")
