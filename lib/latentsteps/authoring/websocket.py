"""JupyterLab's line to a kernel, without TCP's wait before small messages.

After a click the kernel answers with several small messages. By default (Nagle's algorithm, RFC
896) each waits until the one before it has been acknowledged, for some 35 ms in all: as long as
everything else between a click and a picture that has been drawn before.
"""

from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """The server's usual connection, sending each message at once."""

    def connect(self) -> Any:
        """Connect, and turn the wait off for this connection."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()
