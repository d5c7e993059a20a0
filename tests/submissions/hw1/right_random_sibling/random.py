raise SystemExit('this is not the random you are looking for')
