# TODO: homework 1
