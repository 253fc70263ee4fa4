"""LoRAs and their relatives: what their files hold, where it belongs, and putting it to work."""
