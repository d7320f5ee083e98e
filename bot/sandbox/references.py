"""The pages that the sandbox follows. Every refusal names one of them, in the code and in the answer."""

DOCS = "https://docs.slack.dev"

AUTHENTICATION = f"{DOCS}/authentication/tokens"
WEB_API = f"{DOCS}/apis/web-api"
RATE_LIMITS = f"{DOCS}/apis/web-api/rate-limits"
PAGINATION = f"{DOCS}/apis/web-api/pagination"
SLACK_CONNECT = f"{DOCS}/apis/slack-connect"
SOCKET_MODE = f"{DOCS}/apis/events-api/using-socket-mode"
SLASH_COMMANDS = f"{DOCS}/interactivity/implementing-slash-commands"
SHORTCUTS = f"{DOCS}/interactivity/implementing-shortcuts"
INTERACTION = f"{DOCS}/interactivity/handling-user-interaction"
BLOCK_ACTIONS = f"{DOCS}/reference/interaction-payloads/block_actions-payload"
MODALS = f"{DOCS}/surfaces/modals"
APP_HOME = f"{DOCS}/surfaces/app-home"
MANIFEST = f"{DOCS}/reference/app-manifest"
TRUNCATION = "https://api.slack.com/changelog/2018-04-truncating-really-long-messages"
INPUT_BLOCK = f"{DOCS}/reference/block-kit/blocks/input-block"
FILE_OBJECT = f"{DOCS}/reference/objects/file-object"
WORKING_WITH_FILES = f"{DOCS}/messaging/working-with-files"
HELP_CHANNELS = "https://slack.com/help/articles/201402297"
HELP_EDITING = "https://slack.com/help/articles/202395258"
HELP_FILES = "https://slack.com/help/articles/218159688"


def method_page(method: str) -> str:
    """The reference page of a Web API method, e.g. ``chat.postMessage``."""
    return f"{DOCS}/reference/methods/{method}"
