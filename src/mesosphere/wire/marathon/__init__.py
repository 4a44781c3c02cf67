"""Marathon's vocabulary on the wire: ids, timestamps, app definitions, their shapes."""
