"""Variational autoencoders that know about pose.

``config`` says which model is wanted, ``pose`` draws canonical images on the screen, ``likelihood`` compares them with
the data, ``networks`` holds encoder and decoder, ``vae`` puts them together.
"""
