"""Bots of other people, as processes of their own: started, watched, and spoken to by mailbox."""
