"""Advisory asset checks on published tables. The rules that protect a table are its gate, inside the asset."""
