import tensorflow as tf

X = tf.placeholder(tf.float32, [None, 2])
Y = tf.placeholder(tf.float32, [None, 1])
sess = tf.Session()
sess.run(tf.global_variables_initializer())
