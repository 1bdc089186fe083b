"""The `.nic` file: header, layout, checked payloads, alpha."""
