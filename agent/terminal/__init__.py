"""What a person sees and types. Only this package and the command line know a screen."""
