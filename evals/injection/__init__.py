"""What a model that follows every order can do, and what ordinary people are kept from."""
