"""What a person looks at to judge a composite."""
