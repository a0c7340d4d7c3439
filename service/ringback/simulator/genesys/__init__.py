"""The simulated contact centre as Genesys Cloud shows it: login, REST and notification sockets."""
