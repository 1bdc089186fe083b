"""One trial: a case through a row's operator, given to a method, with what that costs."""
