"""What people are told of by themselves: messages, and the webhook and the mailbox that get them."""
