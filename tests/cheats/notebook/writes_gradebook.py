import sqlite3

database = sqlite3.connect('{root}/gradebook.db')
database.execute('update grade set manual_score = 9')
database.commit()
