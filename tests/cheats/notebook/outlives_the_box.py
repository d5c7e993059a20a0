import subprocess

subprocess.Popen(['sleep', '987654'], start_new_session=True)
