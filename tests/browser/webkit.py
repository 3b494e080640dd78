#!/usr/bin/python3
"""A WebKit for WebKitWebDriver that keeps what pages store.

Debian's MiniBrowser is a private window when it is driven: its caches forget
what they hold as soon as a page is left. This one has a profile.

    webkit.py PROFILE [FEATURE...]

Features are WebKit's own, by identifier, switched on.
"""
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2  # noqa: E402

profile, *wanted = sys.argv[1:]
manager = WebKit2.WebsiteDataManager(
    base_data_directory=profile + "/data",
    base_cache_directory=profile + "/cache",
)
context = WebKit2.WebContext(website_data_manager=manager)
context.set_automation_allowed(True)

settings = WebKit2.Settings()
features = WebKit2.Settings.get_all_features()
for feature in (features.get(i) for i in range(features.get_length())):
    if feature.get_identifier() in wanted:
        settings.set_feature_enabled(feature, True)
        wanted.remove(feature.get_identifier())
if wanted:
    sys.exit("this WebKit has no " + ", ".join(wanted))


def new_view(_session):
    view = WebKit2.WebView(
        web_context=context, settings=settings, is_controlled_by_automation=True
    )
    window = Gtk.Window()
    window.set_default_size(1280, 800)
    window.add(view)
    window.show_all()
    view.connect("close", lambda _view: window.destroy())
    return view


def started(_context, session):
    session.connect("create-web-view", new_view)


context.connect("automation-started", started)
Gtk.main()
