"""The alerter as main.py wires it, with replies to Slack going to TEST_RESPONSE_URLS: `python -m ...slack_alerter`."""

import os

from outlay_alerter.main import main

if __name__ == "__main__":
    main(response_urls=os.environ["TEST_RESPONSE_URLS"])
