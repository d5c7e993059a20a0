shell = get_ipython()
shell.ast_transformers.append(None)
shell.events.register('pre_run_cell', print)
shell.display_pub.publish({'text/plain': '100.0'})
